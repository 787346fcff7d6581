// Small helpers. Text gets into the page as text, never as HTML: there is nothing to escape, and to forget.

export const byId = (id) => document.getElementById(id);

/** Makes an element: `make("p", { className: "hint" }, "text", child, …)`. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Shows how a connection is: `waiting`, `open` or `lost`. */
export function showState(element, state, text) {
  element.dataset.state = state;
  element.textContent = text;
}

const UNITS = ["bytes", "KiB", "MiB", "GiB"];

export function size(bytes) {
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${bytes.toLocaleString("en", { maximumFractionDigits: unit ? 1 : 0 })} ${UNITS[unit]}`;
}
