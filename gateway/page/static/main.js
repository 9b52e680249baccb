// The page's course: choose photos, send them, read the answer.

import { $, element, show, speak } from "./elements.js";
import { Failure, wordProblem } from "./failures.js";
import * as feedback from "./feedback.js";
import { ask } from "./gateway.js";
import { MOST, Photos } from "./photos.js";
import * as results from "./result.js";
import { language, number, options, percent, preferred, text, use } from "./texts.js";

const SLOW_AFTER_MS = 8000;
const keepPhotos = document.documentElement.dataset.keepPhotos;
const photos = new Photos(drawChooser);

let release = null; // what /v1/release says
let classes = null; // what /v1/classes says, with the language it says it in
let result = null;
let sending = null;
let failed = null;
let retryTimer = 0;

function view(name) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  window.scrollTo(0, 0);
  $(`${name}-heading`).focus({ preventScroll: true });
}

function drawChooser() {
  const { length } = photos.items;
  $("previews").hidden = length === 0;
  $("start").classList.toggle("chosen", length > 0);
  if (failed && length === 0) clearProblem();
  $("diagnose").hidden = length === 0 || Boolean(failed && !failed.needsOtherPhoto); // then there is "Try again"
  $("diagnose").disabled = !photos.ready;
  for (const input of document.querySelectorAll(".pickers input")) input.disabled = length >= MOST;
}

// ---- what the release knows

async function learn() {
  const asked = language;
  const [aboutRelease, aboutClasses] = await Promise.allSettled([
    ask("GET", "v1/release", { language }),
    ask("GET", "v1/classes", { language }),
  ]);
  if (asked !== language) return; // the user was quicker
  if (aboutRelease.status === "fulfilled") release = aboutRelease.value.body;
  if (aboutClasses.status === "fulfilled") {
    classes = { ...aboutClasses.value.body, language: aboutClasses.value.language };
  }
  drawKnown();
}

function drawKnown() {
  const crop = typeof release?.crop === "string" ? release.crop : (release?.crop?.[language] ?? release?.crop?.en);
  show("crop", crop && text("crop", { crop }));
  $("known").hidden = !classes;
  if (classes) {
    $("classes").replaceChildren(
      ...classes.classes.map((each) => element("li", { lang: classes.language }, each.name)),
    );
    feedback.offer(classes);
  }
  show("privacy", text(`privacy_${keepPhotos}`));
  const { metrics, limits } = release ?? {};
  const tested = metrics?.test_photos && metrics?.accuracy_micro;
  show("about-release", release && text(tested ? "about_tested" : "about_release", {
    release: number(release.release),
    percent: tested && percent(metrics.accuracy_micro),
    count: tested && number(metrics.test_photos),
  }));
  if (limits) Object.assign(photos, { mostBytes: limits.max_bytes, mostBytesTogether: limits.diagnosis.max_bytes });
  show("about-limits", limits && text("about_limits", {
    megabytes: number(limits.max_bytes / 2 ** 20),
    megapixels: number(limits.max_pixels / 1e6),
  }));
}

// ---- sending

async function diagnose() {
  if (!photos.ready || sending) return;
  sending = new AbortController();
  const sent = [...photos.items];
  const started = performance.now();
  const slow = setTimeout(() => ($("slow").textContent = text("slow")), SLOW_AFTER_MS);
  clearProblem();
  $("slow").textContent = "";
  progress(0);
  view("sending");
  const form = new FormData();
  for (const { blob, name } of sent) form.append("file", blob, name || "photo.jpg");
  try {
    const { body, language: tag } = await ask("POST", sent.length > 1 ? "v1/diagnoses?explain=true" : "v1/predict?explain=true", {
      body: form,
      language,
      signal: sending.signal,
      onProgress: progress,
      onWait: (seconds) => ($("sending-heading").textContent = text("busy", { seconds: number(seconds) })),
    });
    result = results.outcome(body, sent, (performance.now() - started) / 1000);
    result.language = tag;
    feedback.reset();
    results.draw(result);
    view("result");
    if (classes?.release !== result.release) learn();
  } catch (failure) {
    if (failure.name === "AbortError") {
      view("start");
      speak(text("cancelled"));
    } else {
      problem(failure instanceof Failure ? failure : new Failure("service", { body: { detail: String(failure) } }));
    }
  } finally {
    clearTimeout(slow);
    sending = null;
  }
}

function progress(share) {
  const bar = $("progress");
  if (share < 1) bar.value = share;
  else bar.removeAttribute("value"); // all is sent: nobody knows how far the answer is
  speak(share < 1 ? "" : text("looking"));
  $("sending-heading").textContent = share < 1 ? text("sending_percent", { percent: percent(share) }) : text("looking");
}

// ---- problems

function problem(failure) {
  failed = failure;
  drawProblem();
  view("start");
  $("problem-heading").focus({ preventScroll: true });
  let left = failure.retryAfter;
  const tick = () => {
    $("retry").disabled = left > 0;
    $("retry").textContent = left > 0 ? text("retry_in", { seconds: number(left) }) : text("retry");
    if (left-- > 0) retryTimer = setTimeout(tick, 1000);
  };
  tick();
}

function drawProblem() {
  $("problem").hidden = !failed;
  drawChooser();
  if (!failed) return;
  $("problem-text").textContent = failed.words;
  $("problem-photos").replaceChildren(
    ...(failed.body.photos ?? []).filter((each) => each.problem).map((each) =>
      element("li", {}, `${text("photo", { number: number(each.index + 1) })}: ${wordProblem(each.problem)}`),
    ),
  );
  $("retry").hidden = failed.needsOtherPhoto;
  $("retry-small").hidden = !failed.smallerHelps;
  $("problem-details").hidden = !failed.details;
  $("problem-detail").textContent = failed.details;
}

function clearProblem() {
  clearTimeout(retryTimer);
  failed = null;
  drawProblem();
}

function connection() {
  const words = navigator.onLine ? "" : text("offline");
  if ($("offline").textContent !== words) $("offline").textContent = words;
  if (navigator.onLine && !classes) learn();
}

// ---- wiring

function startAgain() {
  result = null;
  clearProblem();
  photos.clear();
  view("start");
}

function takeFiles(files) {
  if (failed?.needsOtherPhoto) clearProblem();
  photos.add([...files]);
}

function wire() {
  for (const input of document.querySelectorAll(".pickers input")) {
    input.addEventListener("change", () => {
      takeFiles(input.files);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!$("start").hidden) takeFiles(event.dataTransfer.files);
  });
  $("diagnose").onclick = diagnose;
  $("cancel").onclick = () => sending?.abort();
  $("retry").onclick = diagnose;
  $("retry-small").onclick = async () => {
    await photos.shrink();
    diagnose();
  };
  $("evidence").onchange = (event) => results.mark(event.target.checked);
  $("more").onclick = () => {
    if (result.decision === "rejected") startAgain();
    else view("start");
    document.querySelector(".pickers").scrollIntoView({ block: "center" });
  };
  $("again").onclick = startAgain;
  $("delete").onclick = () => $("confirm").showModal();
  $("confirm").onclick = async (event) => {
    const choice = event.target.value;
    if (!choice) return;
    $("confirm").close();
    if (choice === "delete" && (await feedback.remove(result))) {
      startAgain();
      $("chosen-note").textContent = text("deleted");
    }
  };
  $("language").onchange = () => speakIn($("language").value, true);
  for (const event of ["online", "offline"]) window.addEventListener(event, connection);
  window.addEventListener("beforeunload", (event) => sending && event.preventDefault());
  feedback.prepare(() => result, keepPhotos);
}

/** Show the page in another language; the answer follows as far as the release knows the language. */
async function speakIn(tag, remember = false) {
  try {
    await use(tag, remember);
  } catch {
    $("language").value = language;
    $("offline").textContent = text("problem_offline");
    return;
  }
  $("language").value = language;
  photos.draw();
  drawProblem();
  drawKnown();
  await learn();
  connection();
  if (!result) return;
  if (classes) results.translate(result, classes);
  results.draw(result);
}

async function main() {
  $("language").replaceChildren(...options());
  await use(preferred());
  $("language").value = language;
  wire();
  drawChooser();
  drawKnown();
  document.body.classList.remove("loading");
  document.querySelector("footer").hidden = false;
  $("start").hidden = false;
  connection();
}

main().catch(() => document.body.classList.add("broken"));
