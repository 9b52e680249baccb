// The page's words in one language, and numbers and lists as that language writes them.

const NAMES = { en: "English", fr: "Français", pt: "Português", sw: "Kiswahili", ha: "Hausa", yo: "Yorùbá" };
const MEMORY = "language";

let texts = {};
export let language = "en";

/** The language chosen earlier, else the first one that the browser's user reads, else English. */
export function preferred() {
  let chosen = null;
  try {
    chosen = localStorage.getItem(MEMORY);
  } catch {
    // storage is switched off: the choice lasts as long as the page
  }
  const wishes = [chosen, ...(navigator.languages ?? [navigator.language])];
  return wishes.map((tag) => tag?.split("-")[0].toLowerCase()).find((tag) => Object.hasOwn(NAMES, tag)) ?? "en";
}

/** Load a language and put its words into the page; the one before stays when it cannot be loaded. */
export async function use(tag, remember = false) {
  const reply = await fetch(new URL(`texts/${tag}.json`, import.meta.url));
  if (!reply.ok) throw new Error(`texts of ${tag}: ${reply.status}`);
  texts = await reply.json();
  language = tag;
  document.documentElement.lang = tag;
  for (const slot of document.querySelectorAll("[data-text]")) slot.textContent = text(slot.dataset.text);
  for (const slot of document.querySelectorAll("[data-label]")) slot.setAttribute("aria-label", text(slot.dataset.label));
  document.title = text("title");
  document.getElementById("unreviewed").hidden = texts.reviewed;
  if (!remember) return;
  try {
    localStorage.setItem(MEMORY, tag);
  } catch {
    // as above
  }
}

/** Options for the selector, each named in its own language. */
export function options() {
  return Object.entries(NAMES).map(([tag, name]) => {
    const option = new Option(name, tag);
    option.lang = tag;
    return option;
  });
}

/** A text with its `{placeholders}` filled. */
export function text(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** The text for a number of things, in the form that the number asks for. */
export function counted(key, count) {
  const form = new Intl.PluralRules(language).select(count) === "one" ? "one" : "other";
  return text(`${key}_${form}`, { count: number(count) });
}

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);

/** A share; never a round 0 or 100 % that it does not reach. */
export function percent(share) {
  const shown = share > 0.99 && share < 1 ? 0.99 : share > 0 && share < 0.01 ? 0.01 : share;
  const written = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 }).format(shown);
  return share > 0 && share < 0.01 ? `< ${written}` : written;
}

export const oneOf = (names) => new Intl.ListFormat(language, { type: "disjunction" }).format(names);
