// The chosen photos: made small enough for a field's connection, shown, removed.

import { $, element } from "./elements.js";
import { counted, number, text } from "./texts.js";

export const MOST = 10;
const LONGER_SIDE = 1600;
const SMALL_LONGER_SIDE = 1024;
const AS_IT_IS_BYTES = 700_000;
const MEBIBYTE = 1024 * 1024;

/** Photos of one plant, in the order in which they were chosen; `changed` is called after each change. */
export class Photos {
  constructor(changed) {
    this.items = [];
    this.mostBytes = 20 * MEBIBYTE; // of one photo, until the release says
    this.mostBytesTogether = Infinity;
    this.preparing = 0;
    this._changed = changed;
    this._round = 0; // what is still being prepared when all are removed belongs to nobody
  }

  get ready() {
    return this.items.length > 0 && this.preparing === 0;
  }

  /** Take files; those that are no photos or too many are left out, and the note says so. */
  async add(files) {
    const round = this._round;
    const complaints = [];
    for (const file of files) {
      if (this.items.length + this.preparing >= MOST) {
        complaints.push(text("too_many"));
        break;
      }
      if (file.type && !file.type.startsWith("image/")) {
        complaints.push(text("no_photo", { name: file.name }));
        continue;
      }
      this.preparing += 1;
      this._note([text("preparing", { name: file.name })]);
      const photo = await prepared(file, isWeak() ? SMALL_LONGER_SIDE : LONGER_SIDE);
      this.preparing -= 1;
      if (round !== this._round) {
        release(photo);
        return;
      }
      const tooBig = this._tooBig(photo);
      if (tooBig) {
        complaints.push(tooBig);
        release(photo);
      } else {
        this.items.push(photo);
      }
      this.draw();
    }
    this._note(complaints);
  }

  /** Why a photo, alone or beside the others, has too many bytes; an empty text where it has not. */
  _tooBig({ blob, name }) {
    const together = this.items.reduce((sum, each) => sum + each.blob.size, blob.size);
    if (blob.size > this.mostBytes) return text("too_big", { name, megabytes: number(this.mostBytes / MEBIBYTE) });
    if (!this.items.length || together <= this.mostBytesTogether) return "";
    return text("too_big_together", { name, megabytes: number(this.mostBytesTogether / MEBIBYTE) });
  }

  /** Make all smaller than usual, after the connection or the gateway found them too large. */
  async shrink() {
    this.items = await Promise.all(
      this.items.map(async (photo) => {
        const smaller = await prepared(photo.blob, SMALL_LONGER_SIDE, 0.72, 0);
        release(photo);
        return Object.assign(smaller, { name: photo.name });
      }),
    );
    this.draw();
  }

  remove(photo) {
    const index = this.items.indexOf(photo);
    this.items.splice(index, 1);
    release(photo);
    this.draw();
    this._note([]);
    const next = $("previews").children[Math.min(index, this.items.length - 1)];
    (next?.querySelector("button") ?? document.querySelector("#choose input")).focus();
  }

  clear() {
    this._round += 1;
    this.items.forEach(release);
    this.items = [];
    this.draw();
    this._note([], false);
  }

  /** Show the previews anew. */
  draw() {
    $("previews").replaceChildren(...this.items.map((photo, index) => this._preview(photo, index + 1)));
    this._changed();
  }

  _preview(photo, place) {
    const picture = photo.url
      ? element("img", { src: photo.url, alt: text("photo", { number: place }) })
      : element("span", { className: "no-preview" }, photo.name || text("photo", { number: place }));
    const label = { "aria-label": text("remove", { number: place }) };
    const remove = element("button", { type: "button", className: "remove", onclick: () => this.remove(photo), ...label }, "×");
    return element("li", {}, picture, remove);
  }

  _note(complaints, count = true) {
    const state = count && this.items.length && !this.preparing ? [counted("ready", this.items.length)] : [];
    const unseen = !this.preparing && this.items.some((photo) => !photo.url) ? [text("no_preview")] : [];
    $("chosen-note").textContent = [...state, ...complaints, ...unseen].join(" ");
    this._changed();
  }
}

/** Whether the browser knows of a connection that large photos would hardly pass; not every browser says. */
function isWeak() {
  const { saveData, effectiveType } = navigator.connection ?? {};
  return saveData || /2g/.test(effectiveType ?? "");
}

/**
 * A photo as it will be sent: JPEG of at most `longest` pixels a side where it was larger, upright and without
 * metadata. What this browser cannot decode (HEIC in most) goes as it is: the gateway can.
 */
async function prepared(file, longest, quality = 0.88, asItIsBytes = AS_IT_IS_BYTES) {
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return { name: file.name, blob: file, url: null };
  }
  const scale = Math.min(1, longest / Math.max(picture.width, picture.height));
  const light = scale === 1 && file.size <= asItIsBytes;
  const blob = (!light && (await drawn(picture, scale, quality))) || file;
  picture.close();
  return { name: file.name, blob, url: URL.createObjectURL(blob) };
}

function drawn(picture, scale, quality) {
  const canvas = element("canvas", {
    width: Math.max(1, Math.round(picture.width * scale)),
    height: Math.max(1, Math.round(picture.height * scale)),
  });
  const context = canvas.getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff"; // what a transparent picture lies on
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality)); // null where memory is short
}

function release(photo) {
  if (photo.url) URL.revokeObjectURL(photo.url);
}
