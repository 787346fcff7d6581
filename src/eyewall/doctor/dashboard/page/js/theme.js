// Dark and light: what the system prefers, or what was chosen here.

import { setAttribute, setText } from "./dom.js";

const KEY = "eyewall-theme";
const ORDER = ["system", "dark", "light"];
const NAMES = { system: "Auto", dark: "Dark", light: "Light" };
const DARK = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();
const probe = document.createElement("span");

/** What was chosen: "system", "dark" or "light". */
export const chosen = () => document.documentElement.dataset.theme ?? "system";

export function choose(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // It then holds until the page is closed.
  }
  tell();
}

/** Lets a button go through the themes. */
export function bind(button) {
  const show = () => {
    setText(button, `◐ ${NAMES[chosen()]}`);
    setAttribute(button, "aria-label", `Theme: ◐ ${NAMES[chosen()]}`);
  };
  button.addEventListener("click", () => choose(ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length]));
  listeners.add(show);
  show();
}

/** Calls `listener` when colours have changed; returns a function that ends it. */
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell() {
  for (const each of [...listeners]) each();
}

DARK.addEventListener("change", tell);

/** The colour that a custom property has now, for what is painted rather than styled. */
export function colour(name) {
  if (!probe.isConnected) {
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.setProperty("color", `var(${name})`);
  return getComputedStyle(probe).color;
}
