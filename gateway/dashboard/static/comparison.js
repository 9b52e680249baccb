// The candidate, else the previous release, and the shadow beside the stable release.

import { byId, make, table } from "./dom.js";
import * as say from "./format.js";

const LEVELS = { accepted: "Accepted", uncertain: "Uncertain", rejected: "Rejected", right: "Said right" };
const stacked = (share) => (share ? make("span", {}, say.share(share), make("small", {}, `(${say.interval(share)})`)) : say.NONE);
const signed = (value, digits) => `${value > 0 ? "+" : ""}${value.toFixed(digits)}`;

function change(difference, factor, unit) {
  if (!difference) return say.NONE;
  const { value, low, high } = difference;
  const [middle, from, to] = [value, low, high].map((each) => signed(each * factor, factor === 1 ? 0 : 1));
  return make("span", {}, `${middle} ${unit}`, make("small", {}, `(${from} to ${to})`));
}

function pair({ stable, other, role, differences, class_differences }, names) {
  const points = (difference) => change(difference, 100, "points");
  const shares = (name) => [LEVELS[name], stacked(stable.decisions[name]), stacked(other.decisions[name]), points(differences[name])];
  const time = (name, title) => [title, say.milliseconds(stable.latency[name]), say.milliseconds(other.latency[name]), change(differences[name], 1, "ms")];
  const rows = [
    ["Answers", say.count(stable.answers), say.count(other.answers), ""],
    ...["accepted", "uncertain", "rejected"].map(shares),
    time("p50_ms", "p50"),
    time("p95_ms", "p95"),
    [LEVELS.right, stacked(stable.right), stacked(other.right), points(differences.right)],
    ...Object.entries(class_differences).map(([key, difference]) => [names.get(key) ?? key, stacked(stable.classes[key]), stacked(other.classes[key]), points(difference)]),
  ];
  const part = role === "candidate" ? "Candidate" : "Previous";
  const headings = ["", `Stable ${stable.release}`, `${part} ${other.release}`, `${part} minus stable`];
  return table(`Release ${other.release} beside release ${stable.release}`, headings, rows);
}

function shadowed(shadow, names) {
  const rows = [["All", stacked(shadow.disagreed), ""]];
  for (const { class_key: key, disagreed, instead } of shadow.classes) {
    const words = Object.entries(instead).map(([other, times]) => `${names.get(other) ?? other} ${say.count(times)}`);
    rows.push([names.get(key) ?? key, stacked(disagreed), words.join(", ")]);
  }
  const counted = `Shadow ${shadow.release} looked at ${say.count(shadow.answered)} photos; ${say.count(shadow.failed)} failed, ${say.count(shadow.dropped)} came while it was busy.`;
  return [make("h3", {}, "Shadow"), make("p", { class: "note" }, counted), table("What the shadow said instead", ["Stable said", "Shadow disagreed", "It said"], rows)];
}

export function fillComparison(found, classes) {
  const names = new Map(classes.map(({ key, name }) => [key, name]));
  const parts = [];
  if (found?.other) parts.push(pair(found, names));
  if (found?.shadow) parts.push(...shadowed(found.shadow, names));
  byId("comparison-section").hidden = parts.length === 0;
  const note = make("p", { class: "note" }, "In brackets the 95 % interval. A difference whose interval holds 0 may be chance.");
  byId("comparison").replaceChildren(...parts, note);
}
