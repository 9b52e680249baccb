// Tiles, releases side by side, refusals.

import { byId, make, table } from "./dom.js";
import * as say from "./format.js";

function tile(title, value, note, href) {
  const shown = href ? make("a", { href }, value) : value;
  return make("div", { class: "tile" }, make("dt", {}, title), make("dd", { class: "value" }, shown), make("dd", { class: "note" }, note));
}

const NO_ANSWERS = "no answers yet";
const likely = (share) => (share ? say.interval(share) : NO_ANSWERS);

export function fillTiles(s) {
  const { decision_shares: decisions, latency, feedback } = s;
  const judged = feedback.right ? `of ${say.count(feedback.right.of)} judged; ${say.interval(feedback.right)}` : "nobody has judged yet";
  byId("tiles").replaceChildren(
    tile("Answers", say.count(s.answers), `${say.count(s.volume.at(-1))} ${s.bucket_hours < 24 ? `since ${say.minute(s.starts.at(-1))}` : "today"}`),
    tile("Accepted", say.share(decisions.accepted), likely(decisions.accepted)),
    tile("Rejected", say.share(decisions.rejected), likely(decisions.rejected)),
    tile("Half within", say.milliseconds(latency.overall.p50_ms), latency.overall.p95_ms === null ? NO_ANSWERS : `95 % within ${say.milliseconds(latency.overall.p95_ms)}`),
    tile("Said right", say.share(feedback.right), judged),
    tile("To review", say.count(s.pending_reviews), s.pending_reviews ? "feedback waits for you" : "nothing waits", s.pending_reviews ? "#reviews-title" : undefined),
  );
}

export function fillReleases(s) {
  const headings = ["Release", "Answers", "Accepted", "Uncertain", "Rejected", "p50", "p95", "Right", "Wrong", "Not sure", "Said right"];
  const rows = s.releases.map((r) => [
    `Release ${r.number}`,
    say.count(r.answers),
    ...["accepted", "uncertain", "rejected"].map((name) => stacked(r.decisions[name])),
    say.milliseconds(r.latency.p50_ms),
    say.milliseconds(r.latency.p95_ms),
    ...["correct", "wrong", "unsure"].map((name) => say.count(r.feedback[name])),
    stacked(r.right),
  ]);
  const note = make("p", { class: "note" }, "In brackets the 95 % interval of the share (Wilson). Feedback comes from those who chose to give it.");
  byId("releases").replaceChildren(rows.length ? table("Figures of each release", headings, rows) : nothing("No release has answered in this period."), note);
}

const stacked = (share) => (share ? make("span", {}, say.share(share), make("small", {}, `(${say.interval(share)})`)) : say.NONE);
const nothing = (words) => make("p", { class: "empty" }, words);

export function fillRefusals(s) {
  const rows = Object.entries(s.refusals ?? {}).map(([type, times]) => [type.replaceAll("-", " "), say.count(times)]);
  const none = s.refusals === null ? "This gateway does not count them." : "None since this gateway started.";
  byId("refusals").replaceChildren(rows.length ? table("Refusals by problem", ["Problem", "Times"], rows) : nothing(none));
}
