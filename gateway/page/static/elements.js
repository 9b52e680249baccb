// Shorthands for the document. Text is only ever set as text, never as markup.

export const $ = (id) => document.getElementById(id);

/** A new element; what it has no property for becomes an attribute; `children` are nodes or text. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Show `value` in a slot, and hide the slot while there is none. */
export function show(id, value, language) {
  const slot = $(id);
  slot.hidden = !value;
  slot.textContent = value ?? "";
  if (language) slot.lang = language;
  return slot;
}

/** Tell a screen reader, without moving the focus. */
export function speak(words) {
  $("spoken").textContent = words;
}

/** Nodes for a text in which addresses become links. */
export function linked(words) {
  return words.split(/(https:\/\/[^\s<>"]+[^\s<>".,;:)])/).map((part, index) =>
    index % 2 ? element("a", { href: part, rel: "noopener noreferrer", target: "_blank" }, part) : part,
  );
}
