// "Was this right?", and whether the photos may be kept; deleting what was stored.

import { $ } from "./elements.js";
import { Failure } from "./failures.js";
import { ask } from "./gateway.js";
import { stored } from "./result.js";
import { text } from "./texts.js";

let offered = {}; // what /v1/classes said
const verdict = () => document.querySelector("[name=verdict]:checked")?.value;

/** Make the form work; `current()` is the result it is about. */
export function prepare(current, keepPhotos) {
  const form = $("feedback");
  form.addEventListener("change", () => {
    $("feedback-more").hidden = !verdict();
    $("which").hidden = verdict() !== "wrong";
    $("keep").hidden = keepPhotos !== "consent";
    $("feedback-status").textContent = "";
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(current());
  });
}

/** Forget what was entered for another result. */
export function reset() {
  $("feedback").reset();
  $("feedback").classList.remove("done");
  $("feedback-more").hidden = true;
  $("feedback-status").textContent = "";
  $("delete-status").textContent = "";
}

/** The classes to choose from when the answer was wrong, of a release. */
export function offer(known) {
  offered = known;
  const { classes } = known;
  const chosen = $("which-class").value;
  $("which-class").replaceChildren(
    new Option(text("which_unknown"), ""),
    ...classes.map((each) => new Option(each.name, each.key)),
  );
  $("which-class").value = classes.some((each) => each.key === chosen) ? chosen : "";
}

async function send(result) {
  const kept = $("keep-photo").checked && !$("keep").hidden;
  await busy($("feedback"), $("feedback-status"), async () => {
    let photos = 0;
    for (const photo of stored(result)) {
      const said = opinion(result, photo);
      if (!said) continue;
      const fields = { prediction_id: photo.id, ...said };
      const { body } = await ask("POST", "v1/feedback", { body: bodyOf(fields, kept && photo.blob, photo.name) });
      photos += body.photo_kept ? 1 : 0;
    }
    $("feedback").classList.add("done");
    $("feedback-more").hidden = true;
    return text("feedback_thanks") + (photos ? ` ${text("feedback_kept")}` : "");
  });
}

/**
 * What the user's word on the whole answer says of one photo, whose own class may be another; null: nothing.
 * Experts settle each photo by itself, and the check learns what they confirm.
 */
function opinion(result, { own, rejected }) {
  const unknown = result.decision === "rejected"; // then no class was named that could be right or wrong
  if (rejected && !unknown) return null;
  const keys = offered.release === result.release ? offered.classes.map(({ key }) => key) : [];
  const said = verdict();
  const named = said === "wrong" && $("which-class").value;
  if (named) return named === keys[own] ? { verdict: "correct" } : { verdict: "wrong", class_key: named };
  if (said === "unsure" || unknown) return { verdict: "unsure" };
  if (own === result.best) return { verdict: said };
  return said === "correct" && keys[result.best] ? { verdict: "wrong", class_key: keys[result.best] } : null;
}

function bodyOf(fields, photo, name) {
  if (!photo) return fields;
  const form = new FormData();
  for (const [key, value] of Object.entries({ ...fields, keep_photo: "true" })) form.append(key, value);
  form.append("photo", photo, name || "photo");
  return form;
}

/** Delete all that is stored of a result; returns whether it is gone. */
export async function remove(result) {
  return busy(document.querySelector(".ends"), $("delete-status"), async () => {
    for (const { id } of stored(result)) {
      await ask("DELETE", `v1/predictions/${id}`).catch((failure) => {
        if (failure.status !== 404) throw failure; // gone is what was asked for
      });
    }
    return "";
  });
}

async function busy(area, status, work) {
  const buttons = [...area.querySelectorAll("button")];
  buttons.forEach((button) => (button.disabled = true));
  status.classList.remove("failed");
  status.textContent = text("feedback_sending");
  try {
    status.textContent = await work();
    return true;
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    status.classList.add("failed");
    status.textContent = failure.words;
    return false;
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}
