// Executors, pools and breakers with their states, and all else of the guard.

import { fill, h, keyed, setAttribute, setText } from "../dom.js";
import { count, number, seconds, share, size } from "../format.js";
import { drawMeter, facts, meter } from "../pieces.js";

/** Items of a kind that are shown: of more, those come first in which something is the matter. */
const MOST = 60;
const TIMES = /(^|_)(age|since|lag|patience|latency|oldest|after|held_longest|left)$|_seconds$/;
const SHARES = /(_rate|^share)$/;

/** Kinds that have a title, in this order; all others follow by their names. */
const TITLES = {
  executor: "Executors",
  pool: "Pools",
  breaker: "Breakers",
  bulkhead: "Bulkheads",
  requests: "Limits of requests",
  connections: "Limits of connections",
  "rate limit": "Rate limits",
};

/** How full an item is, by the names of its state: [title, taken, of how many], first places, then those that wait. */
const FILLED = {
  executor: [
    ["Workers", "busy", "workers"],
    ["Queue", "queued", "queue"],
  ],
  pool: [
    ["Lent", "lent", "max_size"],
    ["Waiting", "waiting", "max_waiting"],
  ],
  bulkhead: [
    ["Inside", "inside", "limit"],
    ["Waiting", "waiting", "max_waiting"],
  ],
  requests: [
    ["In flight", "busy", "most"],
    ["Waiting", "waiting", "queue"],
  ],
  connections: [["Open", "open", "total"]],
};

/** What is drawn as a bar: [title, taken, of how many]. */
const filledOf = ({ kind, state }) =>
  (FILLED[kind] ?? [])
    .map(([title, taken, whole]) => [title, state[taken], state[whole]])
    .filter(([, taken, whole]) => typeof taken === "number" && whole > 0);

export default {
  id: "guard",
  title: "Guard",
  key: "g",
  mount(root, model) {
    let text = "";
    const filter = h("input", {
      type: "search",
      class: "filter",
      placeholder: "Filter",
      "aria-label": "Filter: executors, pools, breakers and limits",
      "aria-keyshortcuts": "/",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => {
        text = filter.value.trim().toLowerCase();
        show();
      },
    });
    const sections = h("div", {});
    const none = h("p", { class: "card quiet" }, "Asking…");
    root.append(h("div", { class: "tools" }, filter), none, sections);

    function show() {
      if (!model.state) return;
      const items = (model.state.guard ?? []).filter(
        (each) => each.kind !== "registry" && (!text || `${each.kind}\n${each.name}`.toLowerCase().includes(text)),
      );
      setText(none, text ? "Nothing contains what the filter says." : "Nothing of the guard is in use here.");
      none.hidden = items.length > 0;
      const kinds = [...new Set(items.map((each) => each.kind))].sort(
        (one, other) => order(one) - order(other) || one.localeCompare(other),
      );
      keyed(
        sections,
        kinds,
        (kind) => kind,
        (kind) => {
          const head = h("h2", {});
          const list = h("div", { class: "items" });
          const left = h("p", { class: "quiet" });
          const element = h("section", { class: "section", data: { kind } }, head, list, left);
          Object.assign(element, { head, list, left });
          return element;
        },
        (element, kind) => {
          const found = items
            .filter((each) => each.kind === kind)
            .map((each, index) => ({ each, index, verdict: verdict(each) }));
          found.sort((one, other) => trouble(other.verdict) - trouble(one.verdict) || one.index - other.index);
          setText(
            element.head,
            `${TITLES[kind] ?? kind.charAt(0).toUpperCase() + kind.slice(1)} ${found.length > 1 ? number(found.length) : ""}`.trim(),
          );
          keyed(
            element.list,
            numbered(found.slice(0, MOST)),
            (item) => item.key,
            (item) => card(item.each),
            draw,
          );
          element.left.hidden = found.length <= MOST;
          setText(element.left, `${count(found.length - MOST, "more")} of this kind: the filter finds them.`);
        },
      );
    }

    show();
    return {
      update(what) {
        if (what === "state") show();
      },
      unmount() {},
    };
  },
};

function order(kind) {
  const known = Object.keys(TITLES).indexOf(kind);
  return known < 0 ? Object.keys(TITLES).length : known;
}

/** Several may have the same name: numbers tell them apart. */
function numbered(found) {
  const seen = new Map();
  return found.map((item) => {
    const many = (seen.get(item.each.name) ?? 0) + 1;
    seen.set(item.each.name, many);
    return { ...item, key: `${item.each.name} ${many}` };
  });
}

const trouble = ([, kind]) => ({ bad: 2, warm: 1 })[kind] ?? 0;

/** In a word how an item is, and how bad that is. */
function verdict(item) {
  const { kind, state } = item;
  if (kind === "breaker") {
    const word = String(state.state ?? "");
    return [
      word,
      /open/.test(word) && !/half/.test(word) ? "bad" : /half|forced|disabled/.test(word) ? "warm" : "good",
    ];
  }
  if (kind === "check")
    return [
      String(state.status),
      { passing: "good", pass: "good", ok: "good" }[state.status] ?? (/fail/.test(state.status) ? "bad" : "warm"),
    ];
  if (state.closed === true) return ["closed", "calm"];
  if (state.failing === true) return ["failing", "bad"];
  const filled = filledOf(item);
  if (!filled.length) return ["", "calm"];
  const [, taken, places] = filled[0];
  const queue = filled[1];
  if (queue && queue[1] >= queue[2]) return ["full", "bad"];
  if (taken >= places) return [(state.queued ?? state.waiting ?? 0) > 0 ? "saturated" : "all in use", "warm"];
  return [taken > 0 ? "busy" : "idle", taken > 0 ? "good" : "calm"];
}

function card(item) {
  const element = h(
    "article",
    { class: "card item", data: { kind: item.kind, name: item.name } },
    h("div", { class: "top" }, h("h3", {}, item.name || item.kind), h("span", { class: "pill" })),
    h("div", { class: "meters" }),
    h("div", { class: "rest" }),
  );
  element.pill = element.querySelector(".pill");
  element.meters = element.querySelector(".meters");
  element.rest = element.querySelector(".rest");
  return element;
}

function draw(element, { each, verdict: [word, kind] }) {
  const { state, counters, histograms } = each;
  setText(element.pill, word);
  setAttribute(element.pill, "data-kind", kind);
  element.pill.hidden = !word;
  const drawnAsBars = new Set((FILLED[each.kind] ?? []).flatMap(([, ...names]) => names));
  keyed(
    element.meters,
    filledOf(each),
    ([name]) => name,
    ([name, taken, whole]) => {
      const line = h(
        "div",
        { class: "meter-line" },
        h("span", {}, name),
        meter(`${name} of ${each.name || each.kind}`, taken, whole),
        h("span", { class: "many" }),
      );
      return line;
    },
    (line, [, taken, whole]) => {
      drawMeter(line.children[1], taken, whole);
      setText(line.children[2], `${number(taken)} / ${number(whole)}`);
    },
  );
  const counted = Object.entries(counters ?? {});
  const never = counted.filter(([, value]) => value === 0).map(([name]) => spoken(name));
  const pairs = [
    ...(each.processes > 1 ? [["processes", number(each.processes)]] : []),
    ...Object.entries(state)
      .filter(([name]) => !drawnAsBars.has(name))
      .map(([name, value]) => [spoken(name), valueText(name, value)]),
    ...counted.filter(([, value]) => value !== 0).map(([name, value]) => [spoken(name), number(value)]),
    ...Object.entries(histograms ?? {}).map(([name, value]) => [
      spoken(name),
      value.count ? `${seconds(value.mean)}, p99 ${seconds(value.p99)}` : null,
    ]),
    // Most have never happened; what has should be seen.
    ["none so far", never.join(", ")],
  ];
  const drawn = JSON.stringify(pairs);
  if (drawn === element.drawn) return;
  element.drawn = drawn;
  fill(element.rest, facts(pairs));
}

const spoken = (name) => name.replaceAll("_", " ");

function valueText(name, value) {
  if (value === null || value === undefined || value === "") return null;
  if (typeof value === "boolean") return value ? "yes" : null;
  if (typeof value !== "number") return String(value);
  if (SHARES.test(name)) return share(value);
  if (TIMES.test(name)) return seconds(value);
  if (name.endsWith("bytes")) return size(value);
  return number(value, Number.isInteger(value) ? 0 : 3);
}
