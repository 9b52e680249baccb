// A card for each chart: the picture that the gateway draws, what it says in words, and its figures as a table.

import { readChart } from "./api.js";
import { byId, make, table } from "./dom.js";
import * as say from "./format.js";

const LABELS = {
  accepted: "Accepted", uncertain: "Uncertain", rejected: "Rejected",
  correct: "Right", wrong: "Wrong", unsure: "Not sure",
  receive: "Receive", queue: "Queue", check: "Check", infer: "Infer", respond: "Respond",
};
const label = (name) => LABELS[name] || name;
const each = (of) => Object.entries(of);

function byBucket(s, headings, cells) {
  const rows = s.starts.map((start, i) => [say.bucket(start, s.bucket_hours), ...cells(i)]);
  return { headings: [`${s.bucket_hours < 24 ? "From" : "Day"} (UTC)`, ...headings], rows };
}

function highest(s, values, form = say.count) {
  const most = Math.max(...values.map((value) => value ?? -1));
  return `${say.at(s.starts[values.indexOf(most)], s.bucket_hours)}: ${form(most)}`;
}

const CHARTS = [
  {
    name: "volume",
    title: "Answers",
    note: (s) => `Photos answered in each ${say.bucketName(s.bucket_hours)}.`,
    says: (s) => `${say.count(s.answers)} answers; busiest ${highest(s, s.volume)}.`,
    figures: (s) => byBucket(s, ["Answers"], (i) => [say.count(s.volume[i])]),
  },
  {
    name: "decisions",
    title: "Decisions",
    note: () => "Accepted: one class stands out. Uncertain: several are possible. Rejected: does not look like the trained kind.",
    says: (s) => each(s.decision_shares).map(([name, share]) => `${label(name)} ${say.share(share)}`).join(", ") + ".",
    figures: (s) =>
      byBucket(s, Object.keys(s.decisions).map(label), (i) =>
        each(s.decisions).map(([, counts]) => `${say.count(counts[i])} (${say.ratio(counts[i], s.volume[i])})`)),
  },
  {
    name: "rejected",
    title: "Share rejected",
    note: () => "With its 95 % interval: where intervals overlap, a difference may be chance.",
    says: (s) => `${say.withInterval(s.decision_shares.rejected)} of all answers.`,
    figures: (s) =>
      byBucket(s, ["Rejected", "Share", "95 % interval"], (i) =>
        [say.count(s.decisions.rejected[i]), say.share(s.rejected[i]), say.interval(s.rejected[i])]),
  },
  {
    name: "classes",
    title: "Classes",
    note: () => "Shares of the likeliest class, uncertain and rejected answers too.",
    says: (s) => s.classes.map((c) => `${c.name} ${say.share(c.share)}`).join(", ") + ".",
    figures: (s) =>
      byBucket(s, s.classes.map((c) => c.name), (i) =>
        s.classes.map((c) => `${say.count(c.counts[i])} (${say.ratio(c.counts[i], s.volume[i])})`)),
  },
  {
    name: "confidence",
    title: "Confidence",
    note: () => "Answers by the probability of their likeliest class.",
    says: (s) => {
      const { edges, counts } = s.confidence;
      const totals = edges.slice(0, -1).map((_, i) => say.sum(each(counts).map(([, bins]) => bins[i])));
      const sure = say.sum(totals.filter((_, i) => edges[i] >= 0.8));
      return `${say.ratio(sure, s.answers)} of the answers have a confidence of 80 % or more.`;
    },
    figures: (s) => {
      const { edges, counts } = s.confidence;
      const rows = edges.slice(0, -1).map((edge, i) => [
        `${Math.round(edge * 100)} to ${Math.round(edges[i + 1] * 100)} %`,
        ...each(counts).map(([, bins]) => say.count(bins[i])),
      ]);
      return { headings: ["Confidence", ...Object.keys(counts).map(label)], rows };
    },
  },
  {
    name: "latency",
    title: "Time to answer",
    note: (s) => "From the request's arrival to its answer." + sampled(s),
    says: (s) => {
      const worst = highest(s, s.latency.buckets.map((b) => b.p95_ms), say.milliseconds);
      return `Half within ${say.milliseconds(s.latency.overall.p50_ms)}, 95 % within ${say.milliseconds(s.latency.overall.p95_ms)}; slowest ${worst}.`;
    },
    figures: (s) =>
      byBucket(s, ["p50", "p95"], (i) =>
        [say.milliseconds(s.latency.buckets[i].p50_ms), say.milliseconds(s.latency.buckets[i].p95_ms)]),
  },
  {
    name: "stages",
    title: "Where the time goes",
    note: () => "Receive the upload, queue for a thread, check the photo, infer in Triton, respond.",
    says: (s) => each(s.latency.stages).map(([name, p]) => `${label(name)} ${say.milliseconds(p.p50_ms)}`).join(", ") + " (half within).",
    figures: (s) => ({
      headings: ["Stage", "p50", "p95"],
      rows: each(s.latency.stages).map(([name, p]) => [label(name), say.milliseconds(p.p50_ms), say.milliseconds(p.p95_ms)]),
    }),
  },
  {
    name: "feedback",
    title: "Feedback",
    note: () => "On the answers of each moment, as settled by experts where they have looked; dismissed feedback is left out.",
    empty: (s) => !each(s.feedback.counts).some(([, counts]) => say.sum(counts)),
    says: (s) => each(s.feedback.counts).map(([name, counts]) => `${label(name)} ${say.count(say.sum(counts))}`).join(", ") + ".",
    figures: (s) =>
      byBucket(s, Object.keys(s.feedback.counts).map(label), (i) =>
        each(s.feedback.counts).map(([, counts]) => say.count(counts[i]))),
  },
  {
    name: "releases",
    title: "Shares by release",
    note: () => "Shares with 95 % intervals. “Said right” is of the answers that somebody judged, who are not everybody.",
    says: (s) => s.releases.map((r) => `Release ${r.number}: accepted ${say.share(r.decisions.accepted)}, said right ${say.share(r.right)}`).join("; ") + ".",
    figures: (s) => ({
      headings: ["Release", "Accepted", "Rejected", "Said right"],
      rows: s.releases.map((r) => [
        String(r.number), say.withInterval(r.decisions.accepted), say.withInterval(r.decisions.rejected), say.withInterval(r.right),
      ]),
    }),
  },
];

function sampled(s) {
  if (s.latency.sampled >= s.latency.of) return "";
  return ` From a random sample of ${say.count(s.latency.sampled)} of ${say.count(s.latency.of)} answers.`;
}

const cards = new Map();

function card(chart) {
  const parts = {
    note: make("p", { class: "note" }),
    image: make("img", { class: "chart", alt: "", decoding: "async" }),
    says: make("p", { class: "says" }),
    body: make("div", {}),
  };
  const id = `chart-${chart.name}`;
  const details = make("details", {}, make("summary", {}, "Figures", make("span", { class: "unseen" }, ` of ${chart.title}`)), parts.body);
  const article = make(
    "article",
    { class: "card", "aria-labelledby": id },
    make("h3", { id }, chart.title), parts.note,
    make("div", { class: "frame" }, parts.image),
    parts.says, details,
  );
  byId("refusals-card").before(article);
  return parts;
}

// Words and tables at once; pictures follow when `drawCharts` has them.
export function fillCharts(summary) {
  for (const chart of CHARTS) {
    if (!cards.has(chart.name)) cards.set(chart.name, card(chart));
    const parts = cards.get(chart.name);
    const empty = chart.empty ? chart.empty(summary) : summary.answers === 0;
    const words = empty ? "Nothing in this period." : chart.says(summary);
    const { headings, rows } = chart.figures(summary);
    parts.note.textContent = chart.note(summary);
    parts.says.textContent = words;
    parts.image.alt = `Chart: ${chart.title}. ${words}`;
    parts.body.replaceChildren(rows.length ? table(`Figures of ${chart.title}`, headings, rows) : make("p", { class: "note" }, "Nothing in this period."));
  }
}

export async function drawCharts(values, signal) {
  await Promise.all(CHARTS.map(async (chart) => {
    const { image } = cards.get(chart.name);
    const url = URL.createObjectURL(await readChart(chart.name, values, signal));
    const before = image.src;
    image.src = url;
    await image.decode().catch(() => {});
    if (before) URL.revokeObjectURL(before);
  }));
}
