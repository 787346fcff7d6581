// Small helpers. Whatever comes from a process gets into the page as text, never as HTML: paths, headers and names of
// tasks are chosen by whoever sends requests.

export const byId = (id) => document.getElementById(id);

// What turns the order of other characters round is shown by its number: a path could otherwise look like another one.
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text in which every character can be seen that changes how others are. */
export const plain = (text) =>
  String(text).replace(TURNING, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);

/**
 * Makes an element: `h("p", { class: "hint", onclick: f, data: { kind: "a" } }, "text", child, null)`.
 *
 * `on…` are listeners, `data` goes to the dataset, `style` to custom properties and styles by the CSSOM (which a strict
 * Content-Security-Policy allows), true and false make attributes come and go, the rest are attributes. Children that
 * are null, undefined or false are left out; all others that are no nodes are text.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else if (name === "text") element.textContent = plain(value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : plain(value));
  }
  append(element, children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** As `h`, an element of SVG. */
export function s(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : plain(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const each of children.flat(Infinity)) {
    if (each === null || each === undefined || each === false) continue;
    element.append(each instanceof Node ? each : plain(each));
  }
}

/** Sets the text of an element, and touches nothing where it is the same. */
export function setText(element, text) {
  const wanted = plain(text ?? "");
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Sets or takes away an attribute, and touches nothing where it is the same. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== plain(value)) element.setAttribute(name, plain(value));
}

/** Puts children in the place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/**
 * Makes the children of `parent` be those of `items`, in their order, and keeps the elements of those that stay, with
 * their focus and their state. `key(item)`, `make(item)` returns an element, `update(element, item)` brings it up to date.
 */
export function keyed(parent, items, key, make, update = () => {}) {
  const old = parent.keyedElements ?? new Map();
  const now = new Map();
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    if (now.has(name)) continue;
    const element = old.get(name) ?? make(item);
    update(element, item);
    now.set(name, element);
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const [name, element] of old) if (now.get(name) !== element) element.remove();
  parent.keyedElements = now;
}

/** Whether somebody writes there, so that a key is a letter and no shortcut. */
export function isWriting(element) {
  return element instanceof HTMLElement && element.matches("input, textarea, select, [contenteditable]");
}
