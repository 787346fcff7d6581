// Stacks as a tree of frames, and that tree as rows of buttons: the wider, the longer. A row is what the one above calls.
//
// One button has the focus for all (a roving tabindex): up and down go to who calls and what is called, left and right to
// the neighbours, Enter makes a frame as wide as everything, Escape goes back to its caller.

import { fill, h, setAttribute } from "./dom.js";
import { seconds, share } from "./format.js";

const ROW = 24;
/** Frames narrower than this share of what is shown are not drawn. */
const LEAST = 0.0015;
const DEEPEST = 120;

/** Makes a tree of `[[["outer", "inner"], weight], …]`: { name, total, own, children, parent, depth }. */
export function treeOf(stacks) {
  const root = { name: "everything", total: 0, own: 0, children: [], parent: null, depth: 0, byName: new Map() };
  for (const [frames, weight] of stacks) {
    let node = root;
    node.total += weight;
    for (const name of frames) {
      let child = node.byName.get(name);
      if (!child) {
        child = { name, total: 0, own: 0, children: [], parent: node, depth: node.depth + 1, byName: new Map() };
        node.byName.set(name, child);
        node.children.push(child);
      }
      child.total += weight;
      node = child;
    }
    node.own += weight;
  }
  arrange(root);
  return root;
}

function arrange(root) {
  const work = [root];
  while (work.length) {
    const node = work.pop();
    node.children.sort((one, other) => other.total - one.total);
    work.push(...node.children);
  }
}

/** Of each frame, wherever it is called: the seconds in itself, and with what it calls, counted once in a stack. */
export function functionsOf(stacks) {
  const found = new Map();
  for (const [frames, weight] of stacks) {
    new Set(frames).forEach((name) => {
      const each = found.get(name) ?? { name, own: 0, total: 0 };
      each.total += weight;
      found.set(name, each);
    });
    if (frames.length) found.get(frames.at(-1)).own += weight;
  }
  return [...found.values()];
}

/** The seconds of all stacks in which some frame matches. */
export function matched(stacks, matches) {
  return stacks.reduce((sum, [frames, weight]) => sum + (frames.some(matches) ? weight : 0), 0);
}

/** A frame `function (file:line)` in parts. */
export function parts(name) {
  const found = /^(.*) \((.*?)(?::(\d+))?\)$/s.exec(name);
  if (!found) return { function: name, file: "", line: "", short: name };
  const file = found[2].slice(found[2].lastIndexOf("/") + 1);
  return { function: found[1], file: found[2], line: found[3] ?? "", short: `${found[1]} ${file}${found[3] ? `:${found[3]}` : ""}` };
}

const LIBRARY = /(^|\/)(site-packages|dist-packages|lib\/python3[^/]*|eyewall)\/|^<frozen|^</;
export const isOwn = (name) => {
  const { file } = parts(name);
  return file !== "" && !LIBRARY.test(file);
};

export class FlameGraph {
  #root = null;
  #top = null;
  #focused = null;
  #nodes = new Map();
  #matches = () => false;

  /** `chosen(node)` is called when a frame gets the focus. */
  constructor(label, chosen = () => {}) {
    this.chosen = chosen;
    this.element = h("div", { class: "flames", role: "group", "aria-label": label, onkeydown: (event) => this.#onKey(event) });
    this.element.addEventListener("focusin", (event) => {
      const node = this.#nodes.get(event.target);
      if (node) this.#choose(node);
    });
    this.element.addEventListener("click", (event) => {
      const node = this.#nodes.get(event.target.closest("button"));
      if (node) this.zoom(node);
    });
  }

  get top() {
    return this.#top;
  }

  show(root) {
    this.#root = this.#top = this.#focused = root;
    this.#draw();
  }

  search(matches) {
    this.#matches = matches;
    for (const [button, node] of this.#nodes) setAttribute(button, "data-match", matches(node.name) ? "yes" : null);
  }

  /** Makes a frame as wide as everything. */
  zoom(node, focus = true) {
    this.#top = this.#focused = node;
    this.#draw();
    if (focus) this.#button(node)?.focus();
  }

  #draw() {
    const buttons = [];
    this.#nodes.clear();
    const whole = this.#top.total || 1;
    let deepest = 0;
    const add = (node, left, width) => {
      const { short } = parts(node.name);
      deepest = Math.max(deepest, node.depth);
      const button = h(
        "button",
        {
          type: "button",
          tabindex: node === this.#focused ? "0" : "-1",
          title: `${node.name}\n${seconds(node.total)}, ${share(node.total / (this.#root.total || 1))}; in itself ${seconds(node.own)}`,
          "aria-label": `${short}: ${seconds(node.total)}, ${share(node.total / (this.#root.total || 1))}`,
          data: { own: isOwn(node.name) ? "yes" : "no", above: node.depth < this.#top.depth ? "yes" : "no" },
          style: { "--left": `${(left * 100).toFixed(3)}%`, "--part": `${(width * 100).toFixed(3)}%`, "--row": node.depth },
        },
        width > 0.025 ? short : "",
      );
      if (this.#matches(node.name)) button.dataset.match = "yes";
      this.#nodes.set(button, node);
      buttons.push(button);
    };
    // Who calls what is shown goes over all of it.
    const above = [];
    for (let node = this.#top.parent; node; node = node.parent) above.unshift(node);
    for (const node of above) add(node, 0, 1);
    const work = [[this.#top, 0]];
    while (work.length) {
      const [node, left] = work.pop();
      add(node, left, node.total / whole);
      let next = left;
      for (const child of node.depth < DEEPEST ? node.children : []) {
        if (child.total / whole < LEAST) break;
        work.push([child, next]);
        next += child.total / whole;
      }
    }
    this.element.style.setProperty("height", `${(deepest + 1) * ROW}px`);
    fill(this.element, buttons);
  }

  #button(node) {
    for (const [button, each] of this.#nodes) if (each === node) return button;
    return null;
  }

  #choose(node) {
    for (const [button, each] of this.#nodes) button.tabIndex = each === node ? 0 : -1;
    this.#focused = node;
    this.chosen(node);
  }

  #onKey(event) {
    const node = this.#focused;
    if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
    const siblings = node.parent?.children.filter((each) => this.#button(each)) ?? [node];
    const at = siblings.indexOf(node);
    const next = {
      ArrowUp: () => node.parent,
      ArrowDown: () => node.children.find((each) => this.#button(each)),
      ArrowLeft: () => siblings[at - 1],
      ArrowRight: () => siblings[at + 1],
      Home: () => this.#root,
    }[event.key];
    if (next) {
      event.preventDefault();
      const button = this.#button(next());
      button?.focus();
    } else if (event.key === "Escape" && this.#top.parent) {
      event.preventDefault();
      event.stopPropagation();
      this.zoom(this.#top.parent);
    }
  }
}
