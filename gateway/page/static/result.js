// The answer as people read it.

import { $, element, linked, show } from "./elements.js";
import { wordProblem } from "./failures.js";
import { language, number, oneOf, percent, text } from "./texts.js";

const BARS = 6;
const HINTS = ["too_dark", "too_bright", "blurred", "small"];

/**
 * What the page keeps of an answer; classes by place, since their names change with the language.
 *
 * @param {object} reply  of /v1/predict or /v1/diagnoses
 * @param {object[]} sent  the photos, as they were sent
 */
export function outcome(reply, sent, seconds) {
  const single = !Array.isArray(reply.photos);
  const items = single ? [{ index: 0, prediction: reply }] : reply.photos;
  const names = Object.keys(reply.probabilities);
  return {
    best: reply.predicted_class_id,
    names,
    probabilities: Object.values(reply.probabilities),
    plausible: reply.prediction_set.map((name) => names.indexOf(name)),
    decision: reply.decision,
    confidence: reply.confidence,
    advice: reply.advice,
    source: reply.advice_source,
    quality: HINTS.filter((hint) => (reply.quality ?? []).includes(hint)),
    release: reply.release,
    used: reply.photos_used ?? 1,
    serviceMs: reply.timings_ms.total - (reply.timings_ms.receive ?? 0),
    seconds,
    photos: sent.map((photo, index) => {
      const item = items.find((each) => each.index === index) ?? {};
      const { prediction, problem } = item;
      return { photo, prediction, problem, overlay: overlayOf(prediction ?? {}) ?? (single ? overlayOf(reply) : null) };
    }),
  };
}

const overlayOf = ({ explanation, decision }) =>
  explanation && decision !== "rejected" ? { class: explanation.class_name, url: `data:image/png;base64,${explanation.overlay_png}` } : null;

/** Put the answer's names and advice into another language, where its release still answers. */
export function translate(result, { release, classes, language: tag }) {
  if (release !== result.release || classes.length !== result.names.length) return;
  result.names = classes.map((each) => each.name);
  result.advice = classes[result.best].advice;
  result.source = classes[result.best].advice_source;
  result.language = tag;
}

/** Show the whole answer; `chosen` is the place of the photo that is shown large. */
export function draw(result, chosen = 0) {
  const { decision, names, best, plausible } = result;
  const name = names[best];
  const tag = result.language;

  show("decision", text(`decision_${decision}`)).dataset.decision = decision;
  const heading = $("result-heading");
  const others = plausible.filter((each) => each !== best).slice(0, 2);
  if (decision === "accepted") {
    heading.replaceChildren(element("span", { lang: tag }, name));
    show("explained", "");
  } else if (decision === "uncertain") {
    heading.textContent = text("uncertain_heading", { name });
    const possible = oneOf(others.map((each) => names[each]));
    show("explained", others.length ? text("uncertain_text", { names: possible }) : text("uncertain_alone"));
  } else {
    heading.textContent = text("rejected_heading");
    show("explained", text("rejected_text"));
  }
  const facts = decision === "rejected" ? [] : [text("confidence", { percent: percent(result.confidence) })];
  if (result.photos.length > 1 && result.used) facts.push(text("used", { used: number(result.used), count: number(result.photos.length) }));
  show("confidence", facts.join("\n"));

  drawPhotos(result, chosen);
  drawNext(decision);
  drawAdvice(result);
  drawBars(result);
  show("facts", text("took", {
    total: number(Math.max(0.1, result.seconds), 1),
    service: number(Math.max(0.01, result.serviceMs / 1000), 2),
    release: number(result.release),
  }));
}

function drawPhotos(result, chosen) {
  const several = result.photos.length > 1;
  const lines = result.photos.map((each, index) => photoLine(result, each, index));
  const { photo, overlay } = result.photos[chosen];
  const picture = $("photo");
  picture.hidden = !photo.url;
  if (photo.url) picture.src = photo.url;
  picture.alt = text("photo_alt", { number: chosen + 1 });
  show("no-preview", photo.url ? "" : text("no_preview"));
  show("photo-caption", several ? lines[chosen] : "");

  const explained = Boolean(overlay && photo.url);
  $("evidence").hidden = !explained;
  if (explained) $("overlay").src = overlay.url;
  $("overlay").hidden = !explained || !$("evidence").querySelector("input").checked;
  show("evidence-note", explained ? text("evidence_note", { name: overlay.class }) : "");

  $("thumbnails").hidden = !several;
  $("thumbnails").replaceChildren(
    ...(several ? result.photos : []).map((each, index) => {
      const label = lines[index];
      const inside = each.photo.url ? element("img", { src: each.photo.url, alt: "" }) : String(index + 1);
      const button = element("button", { type: "button", "aria-label": label, "aria-pressed": index === chosen, title: label }, inside);
      if (each.problem) button.className = "unused";
      button.onclick = () => {
        drawPhotos(result, index);
        $("thumbnails").children[index].firstChild.focus();
      };
      return element("li", {}, button);
    }),
  );
  const shown = several ? (result.photos[chosen].prediction?.quality ?? []) : result.quality;
  const unused = several ? lines.filter((_, index) => result.photos[index].problem) : [];
  const hints = [...unused, ...HINTS.filter((hint) => shown.includes(hint)).map((hint) => text(hint))];
  $("quality").hidden = hints.length === 0;
  $("hints").replaceChildren(...hints.map((hint) => element("li", {}, hint)));
}

function photoLine(result, { prediction, problem }, index) {
  const place = number(index + 1);
  if (problem) return text("photo_unused", { number: place, problem: wordProblem(problem) });
  if (!prediction) return text("photo", { number: place });
  if (prediction.decision === "rejected") return `${text("photo", { number: place })}: ${text("decision_rejected")}`;
  const name = result.names[prediction.predicted_class_id];
  return text("photo_says", { number: place, name, percent: percent(prediction.confidence) });
}

function drawNext(decision) {
  $("next").hidden = decision === "accepted";
  $("next-text").textContent = decision === "accepted" ? "" : text(`next_${decision}`);
}

function drawAdvice(result) {
  const { advice, source, decision } = result;
  const name = result.names[result.best];
  $("advice-heading").textContent = decision === "uncertain" ? text("advice_if", { name }) : text("advice_heading");
  $("advice").hidden = !advice || decision === "rejected";
  show("advice-text", advice, result.language);
  show("advice-language", result.language === language ? "" : text("advice_language"));
  const slot = show("advice-source", source ? " " : "");
  if (source) slot.replaceChildren(...linked(text("source", { source })));
}

function drawBars({ names, probabilities, best, decision, language: tag }) {
  const ranked = names.map((_, id) => id).sort((a, b) => probabilities[b] - probabilities[a]);
  $("bars").replaceChildren(
    ...ranked.slice(0, BARS).map((id) => {
      const bar = element("span", { className: "bar", "aria-hidden": "true" }, element("span"));
      bar.firstChild.style.inlineSize = `${100 * probabilities[id]}%`;
      const share = element("span", { className: "share" }, percent(probabilities[id]));
      const line = element("li", {}, element("span", { className: "name", lang: tag }, names[id]), share, bar);
      if (id === best && decision !== "rejected") line.className = "best";
      return line;
    }),
  );
  $("probabilities").open = decision !== "rejected";
}

/** Show or hide where the signs lie. */
export function mark(shown) {
  $("overlay").hidden = !shown;
}

/** The stored predictions behind an answer, with the photo each was made from. */
export const stored = (result) =>
  result.photos
    .filter(({ prediction }) => prediction?.prediction_id)
    .map(({ prediction, photo: { blob, name } }) => ({
      id: prediction.prediction_id,
      own: prediction.predicted_class_id,
      rejected: prediction.decision === "rejected",
      blob,
      name,
    }));
