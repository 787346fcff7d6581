// Keys: one letter for each view, and a list of them. Letters can be switched off (WCAG 2.2, success criterion 2.1.4):
// they get in the way of speech input.

import { h, isWriting } from "./dom.js";
import { sheet } from "./confirm.js";

const STORED = "eyewall-keys";

export class Keys {
  /** `actions`: functions `view(id)`, `pause()`, `theme()`, `process()`, `filter()`. */
  constructor(button, views, actions) {
    this.views = views;
    this.actions = actions;
    button.addEventListener("click", () => this.help());
    document.addEventListener("keydown", (event) => this.#onKey(event));
  }

  get on() {
    try {
      return localStorage.getItem(STORED) !== "off";
    } catch {
      return true;
    }
  }

  set on(value) {
    try {
      localStorage.setItem(STORED, value ? "on" : "off");
    } catch {
      // A browser may refuse to store anything: letters then stay shortcuts.
    }
  }

  #onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]") || isWriting(event.target)) return;
    if (event.key === "?") this.help();
    else if (!this.on) return;
    else if (event.key === "/") {
      if (!this.actions.filter()) return;
    } else if (event.key === "p") this.actions.pause();
    else if (event.key === "d") this.actions.theme();
    else if (event.key === "s") this.actions.process();
    else {
      const view = this.views.find((each) => each.key === event.key);
      if (!view) return;
      this.actions.view(view.id);
    }
    event.preventDefault();
  }

  help() {
    const rows = [
      ...this.views.map((view) => [view.key, view.title]),
      ["p", "Pause, and go on"],
      ["s", "Choose a process"],
      ["d", "Theme: as the system, dark, light"],
      ["/", "Filter the table"],
      ["↑ ↓", "In a table: the row before and after; also Page Up, Page Down, Home, End"],
      ["Enter", "In a table: more of the row"],
      ["← →", "In a tree: close and open a branch"],
      ["Esc", "Close what is open, empty the filter"],
      ["?", "This list"],
    ];
    sheet({
      title: "Keyboard shortcuts",
      content: [
        h(
          "dl",
          { class: "keys" },
          rows.map(([key, what]) =>
            h(
              "div",
              {},
              h(
                "dt",
                {},
                key.split(" ").map((each) => h("kbd", {}, each)),
              ),
              h("dd", {}, what),
            ),
          ),
        ),
        h(
          "label",
          { class: "check" },
          h("input", { type: "checkbox", checked: this.on, onchange: (event) => (this.on = event.target.checked) }),
          " Single letters are shortcuts",
        ),
      ],
    });
  }
}
