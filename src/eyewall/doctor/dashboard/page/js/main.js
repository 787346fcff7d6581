// The frame around the views: navigation, which process, keys, banners.

import { byId, fill, h } from "./dom.js";
import { Banners } from "./banners.js";
import { toast } from "./confirm.js";
import { tellAncestor } from "./embedding.js";
import { Keys } from "./keys.js";
import { Model } from "./model.js";
import { Router } from "./router.js";
import { Selector } from "./selector.js";
import * as theme from "./theme.js";
import { VIEWS } from "./views/index.js";

const model = new Model({ token: document.querySelector("meta[name=csrf]").content });
const main = byId("main");
let shown = null;
let asked = 0;
// The view that was asked for last, and whether its title gets the focus.
let wanted = null;
let toTitle = false;

// -- views --------------------------------------------------------------------------------------------------

const links = new Map(
  VIEWS.map((view) => [
    view.id,
    h(
      "a",
      { href: `#/${view.id}`, "aria-keyshortcuts": view.key, onclick: (event) => follow(event, view.id) },
      h("span", { class: "name" }, view.title),
      h("kbd", { "aria-hidden": "true" }, view.key),
    ),
  ]),
);
const badge = h("span", { class: "badge", hidden: true });
links.get("findings").append(badge);
fill(
  byId("views"),
  [...links.values()].map((link) => h("li", {}, link)),
);

function follow(event, id) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  router.open(id);
}

const router = new Router(
  VIEWS.map((view) => view.id),
  (id, parameters) => show(id, parameters),
);
model.router = router;

async function show(id, parameters) {
  const view = VIEWS.find((each) => each.id === id);
  // Also where the one before has not come yet.
  toTitle ||= wanted !== null && wanted !== id;
  wanted = id;
  if (parameters.process) model.select(parameters.process === "all" ? "all" : Number(parameters.process));
  // After that: another selection shows the view anew.
  const turn = (asked += 1);
  let module;
  try {
    module = await view.load();
  } catch (error) {
    toast(`The view ${view.title} can’t be loaded: ${error.message}`, "bad");
    return;
  }
  // Whoever went on meanwhile wants the other view.
  if (turn !== asked) return;
  // Where the same view comes anew, its title keeps the focus.
  const title = toTitle || (document.activeElement?.matches(".view-head h1") ?? false);
  toTitle = false;
  leave();
  for (const [each, link] of links) {
    if (each === id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  links.get(id).scrollIntoView({ block: "nearest", inline: "nearest" });
  document.title = `${view.title} · Eyewall`;
  const root = h("div", { class: `view view-${id}` });
  const head = h(
    "div",
    { class: "view-head" },
    h("h1", { tabindex: "-1" }, view.title),
    view.single ? selector.single() : null,
  );
  fill(main, head, root);
  shown = { view, root, mounted: module.default.mount(root, model) };
  // A view may have something that it was opened for.
  if (root.contains(document.activeElement)) return;
  if (title) head.querySelector("h1").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function leave() {
  shown?.mounted.unmount?.();
  shown = null;
}

// -- which process ------------------------------------------------------------------------------------------

const selector = new Selector(byId("process"), model, (process) => {
  model.select(process);
  router.note({ process: model.process });
});

// -- what changes -------------------------------------------------------------------------------------------

const banners = new Banners(byId("banners"), byId("link"), byId("link-text"), byId("pause"), model);
byId("pause").addEventListener("click", () => model.pause(!model.paused));
theme.bind(byId("theme"));

const known = new Set();
let worst = null;

model.listen((what) => {
  if (what === "processes" || what === "selection") selector.show();
  banners.show();
  if (what === "findings") tellFindings();
  if (what === "findings" || what === "state") tellAncestor(model);
  if (what === "selection") {
    known.clear();
    worst = null;
    badge.hidden = true;
    // What a view has collected is of another process.
    if (shown) show(router.id, {});
    return;
  }
  shown?.mounted.update?.(what);
});

/** The number in the navigation; and for whoever can't see it, what is new, in one sentence. */
function tellFindings() {
  const bad = model.findings.filter((each) => each.severity !== "notice");
  badge.hidden = bad.length === 0;
  badge.textContent = String(bad.length);
  badge.dataset.severity = bad.some((each) => each.severity === "error") ? "error" : "warning";
  const name = (each) => `${each.pid} ${each.rule} ${each.place?.file}:${each.place?.line}`;
  const fresh = bad.filter((each) => !known.has(name(each)));
  for (const each of bad) known.add(name(each));
  if (worst !== null && fresh.length) {
    byId("polite").textContent =
      fresh.length === 1
        ? `New finding: ${fresh[0].summary}`
        : `${fresh.length} new findings, the first: ${fresh[0].summary}`;
  }
  worst = bad.length;
}

new Keys(byId("help"), VIEWS, {
  view: (id) => router.open(id),
  pause: () => byId("pause").click(),
  theme: () => byId("theme").click(),
  process: () => byId("process").focus(),
  filter: () => {
    const field = main.querySelector("input[type=search]");
    field?.focus();
    field?.select();
    return Boolean(field);
  },
});

document.addEventListener("visibilitychange", () => model.hide(document.hidden));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
selector.show();
banners.show();
router.start();
model.start();
