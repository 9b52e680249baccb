// Feedback that waits for an expert: confirm it, name the class, or dismiss it.

import { readPending, readPhoto, sendReview } from "./api.js";
import { byId, make } from "./dom.js";
import * as say from "./format.js";

const PAGE = 6;
const VERDICTS = { correct: "says it is right", wrong: "says it is wrong", unsure: "is not sure" };

let names = new Map();
let cursor = null;
let waiting = 0;
let shown = new Set();
let photos = [];

const nameOf = (key) => names.get(key) || key;

// The first page anew; `classes` of the summary give names to keys.
export async function fillReviews(classes) {
  names = new Map(classes.map((each) => [each.key, each.name]));
  const page = await readPending(null, PAGE);
  photos.forEach((url) => URL.revokeObjectURL(url));
  photos = [];
  shown = new Set();
  byId("reviews").replaceChildren();
  add(page);
}

export async function showMore() {
  const button = byId("more");
  button.disabled = true;
  try {
    const first = add(await readPending(cursor, PAGE));
    if (first) first.focus();
  } finally {
    button.disabled = false;
  }
}

function add(page) {
  cursor = page.next_cursor;
  waiting = page.total;
  const items = page.items.filter((item) => !shown.has(item.feedback_id)).map(card);
  byId("reviews").append(...items);
  byId("more").hidden = cursor === null;
  tell();
  return items[0]?.querySelector("h3");
}

function tell(before = "") {
  const left = waiting ? `${say.count(waiting)} ${waiting === 1 ? "waits" : "wait"}, the oldest first.` : "Nothing waits for you.";
  byId("reviews-status").textContent = `${before}${left}`;
}

function card(item) {
  shown.add(item.feedback_id);
  const id = `review-${item.feedback_id}`;
  const expected = item.verdict === "correct" ? item.predicted_class_key : item.class_key;
  const article = make("article", { class: "card review", "aria-labelledby": id });
  const problem = make("p", { class: "message bad", role: "alert", hidden: true });
  const settle = (review, words) => async () => {
    const buttons = article.querySelectorAll("button, select");
    buttons.forEach((each) => (each.disabled = true));
    problem.hidden = true;
    try {
      await sendReview(item.feedback_id, review());
      leave(article, words);
    } catch (error) {
      buttons.forEach((each) => (each.disabled = false));
      problem.textContent = error.message;
      problem.hidden = false;
    }
  };
  article.append(
    photo(item),
    make("div", { class: "about" },
      make("h3", { id, tabindex: "-1" }, `${nameOf(item.predicted_class_key)}, ${say.percent(item.confidence)}`),
      make("p", { class: "note" }, `${item.decision} by release ${item.release}, ${say.moment(item.predicted_at)} UTC`),
      make("p", { class: "said" }, make("b", {}, "Somebody "), make("b", {}, VERDICTS[item.verdict]),
        item.class_key && item.verdict !== "correct" ? `: ${nameOf(item.class_key)}` : ""),
      item.comment ? make("blockquote", {}, item.comment) : null,
      make("p", { class: "note" }, runnersUp(item)),
    ),
    actions(item, expected, settle, problem),
  );
  return make("li", {}, article);
}

function runnersUp(item) {
  const others = Object.entries(item.probabilities).filter(([key]) => key !== item.predicted_class_key);
  const next = others.sort((a, b) => b[1] - a[1]).slice(0, 2);
  return next.length ? `Next: ${next.map(([key, p]) => `${nameOf(key)} ${say.percent(p)}`).join(", ")}` : "";
}

function actions(item, expected, settle, problem) {
  const id = `class-${item.feedback_id}`;
  const select = make("select", { id }, make("option", { value: "" }, "Choose a class"),
    ...Object.keys(item.probabilities).map((key) => make("option", { value: key }, nameOf(key))));
  const save = make("button", { type: "button", class: "plain", disabled: true }, "Save");
  select.addEventListener("change", () => (save.disabled = select.value === ""));
  save.addEventListener("click", () =>
    settle(() => ({ decision: "correct", class_key: select.value }), `Saved as ${nameOf(select.value)}. `)());
  const dismiss = make("button", { type: "button", class: "plain quiet" }, "Dismiss");
  dismiss.addEventListener("click", settle(() => ({ decision: "dismiss" }), "Dismissed. "));
  const parts = [];
  if (expected) {
    const confirm = make("button", { type: "button" }, `Confirm ${nameOf(expected)}`);
    confirm.addEventListener("click", settle(() => ({ decision: "confirm", class_key: expected }), `Confirmed as ${nameOf(expected)}. `));
    parts.push(confirm);
  }
  const choose = make("div", { class: "choose" }, make("label", { for: id, class: "unseen" }, "The class it really is"), select, save);
  return make("div", { class: "actions" }, ...parts, choose, dismiss, problem);
}

function photo(item) {
  if (!item.photo_kept) return make("div", { class: "photo none" }, make("span", {}, "No photo kept"));
  const image = make("img", { alt: "" });
  const button = make("button", { type: "button", class: "photo", "aria-label": "Enlarge the photo" }, image);
  readPhoto(item.feedback_id).then(
    (blob) => {
      image.src = URL.createObjectURL(blob);
      photos.push(image.src);
    },
    (error) => button.replaceWith(make("div", { class: "photo none" }, make("span", {}, error.message))),
  );
  button.addEventListener("click", () => {
    if (!image.src) return;
    byId("viewer-photo").src = image.src;
    byId("viewer").showModal();
  });
  return button;
}

// The item is settled: it goes, and the next one takes the focus.
function leave(article, words) {
  const item = article.parentElement;
  const next = item.nextElementSibling || item.previousElementSibling;
  item.remove();
  waiting = Math.max(0, waiting - 1);
  tell(words);
  (next ? next.querySelector("h3") : byId("reviews-title")).focus();
  if (byId("reviews").children.length === 0 && cursor !== null) showMore();
}
