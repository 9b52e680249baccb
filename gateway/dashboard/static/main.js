// The dashboard: asks for a key where one is needed, then shows the figures and keeps them fresh.

import { forgetKey, keyOfTab, Problem, readComparison, readSummary, rememberKey } from "./api.js";
import { drawCharts, fillCharts } from "./charts.js";
import { fillComparison } from "./comparison.js";
import { byId } from "./dom.js";
import * as say from "./format.js";
import { fillRefusals, fillReleases, fillTiles } from "./overview.js";
import { fillReviews, showMore } from "./reviews.js";

const REFRESH_MS = 60_000;
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 620px)");

let current = new AbortController();
let summary = null;

const hours = () => document.querySelector("input[name=hours]:checked").value;
const look = () => ({ hours: hours(), theme: dark.matches ? "dark" : "light", size: narrow.matches ? "narrow" : "wide" });

function showMessage(text) {
  const message = byId("message");
  message.textContent = text;
  message.className = "message bad";
  message.hidden = !text;
}

function askForKey(problem) {
  byId("figures").hidden = true;
  byId("controls").hidden = true;
  byId("entry").hidden = false;
  showMessage(keyOfTab() ? problem.message : "");
  forgetKey();
  byId("key").value = "";
  byId("key").focus();
}

function fail(error) {
  if (error.name === "AbortError") return;
  if (error instanceof Problem && error.needsKey) askForKey(error);
  else showMessage(error.message);
}

async function load({ reviews = false } = {}) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  byId("figures").setAttribute("aria-busy", "true");
  try {
    let comparison;
    [summary, comparison] = await Promise.all([readSummary(hours(), signal), readComparison(hours(), signal)]);
    signal.throwIfAborted();
    showMessage("");
    byId("entry").hidden = true;
    byId("controls").hidden = false;
    byId("forget").hidden = !keyOfTab();
    byId("figures").hidden = false;
    fillTiles(summary);
    fillCharts(summary);
    fillComparison(comparison, summary.classes);
    fillReleases(summary);
    fillRefusals(summary);
    byId("stamp").textContent = `As of ${say.minute(summary.generated_at)} UTC. All times are UTC.`;
    await Promise.all([drawCharts(look(), signal), reviews ? fillReviews(summary.classes) : null]);
  } catch (error) {
    fail(error);
  } finally {
    if (!signal.aborted) byId("figures").removeAttribute("aria-busy");
  }
}

const redraw = () => summary && !byId("figures").hidden && drawCharts(look(), current.signal).catch(fail);

byId("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = byId("key").value.trim();
  if (/^[\x21-\x7e]+$/.test(key)) {
    rememberKey(key);
    load({ reviews: true }).then(() => byId("figures").hidden || byId("figures").focus());
  } else {
    showMessage("This is no key: it holds letters, digits and signs without spaces.");
  }
});
byId("forget").addEventListener("click", () => {
  current.abort();
  forgetKey();
  location.reload();
});
byId("refresh").addEventListener("click", () => load({ reviews: true }));
byId("more").addEventListener("click", () => showMore().catch(fail));
document.querySelectorAll("input[name=hours]").forEach((input) => input.addEventListener("change", () => load()));
dark.addEventListener("change", redraw);
narrow.addEventListener("change", redraw);
setInterval(() => document.visibilityState === "visible" && !byId("figures").hidden && load(), REFRESH_MS);

load({ reviews: true });
