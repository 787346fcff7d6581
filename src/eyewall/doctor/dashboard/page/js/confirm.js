// Dialogs: a question before something is done to a process, and a sheet with more of what a row says.

import { h } from "./dom.js";

let made = 0;

function dialog(kind, title, content, buttons) {
  made += 1;
  const name = `dialog-${made}`;
  const before = document.activeElement;
  const element = h(
    "dialog",
    { class: kind, "aria-labelledby": name },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: name }, title),
      h("div", { class: "said" }, content),
      h("div", { class: "choices" }, buttons),
    ),
  );
  element.addEventListener("close", () => {
    element.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus({ focusVisible: true });
  });
  // A click beside it.
  element.addEventListener("click", (event) => {
    if (event.target === element) element.close("");
  });
  document.body.append(element);
  element.showModal();
  return element;
}

/** Asks whether something is to be done. Returns a promise of true or false. What does no harm has the focus. */
export function confirm({ title, text, details = [], action, danger = true }) {
  return new Promise((resolve) => {
    const element = dialog(
      "confirm",
      title,
      [h("p", {}, text), ...details],
      [
        h("button", { value: "", autofocus: true }, "Leave it"),
        h("button", { value: "yes", class: danger ? "danger" : "primary" }, action),
      ],
    );
    element.addEventListener("close", () => resolve(element.returnValue === "yes"));
  });
}

/** Shows more of something, at the side. Returns the dialog; `buttons` do not close it by themselves. */
export function sheet({ title, content, buttons = [] }) {
  return dialog("sheet", title, content, [...buttons, h("button", { value: "", autofocus: true }, "Close")]);
}

let ending = 0;

/** Says for some seconds how something went. */
export function toast(text, kind = "good") {
  const element = document.getElementById("toast");
  element.textContent = text;
  element.dataset.kind = kind;
  element.hidden = false;
  document.getElementById("polite").textContent = text;
  clearTimeout(ending);
  ending = setTimeout(() => {
    element.hidden = true;
  }, 6000);
}
