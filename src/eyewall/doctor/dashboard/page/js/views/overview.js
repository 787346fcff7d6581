// The first thing that is seen: what is wrong and where, then how the process is.

import { Chart } from "../chart.js";
import { fill, h, keyed, setText } from "../dom.js";
import { ago, count, number, rate, seconds, share, size, where } from "../format.js";
import { drawStack, findingCard, keyOf, legend, newestFirst, severity } from "../pieces.js";

const FURTHER = 3;
const ROUTES = 6;

const CHARTS = [
  {
    title: "Loop lag",
    label: "Loop lag",
    colour: "--blocking",
    index: 1,
    format: seconds,
    floor: 0.01,
    more: "how late the loop is",
  },
  {
    title: "Busy",
    label: "Busy share of the loop",
    colour: "--accent",
    index: 2,
    format: share,
    floor: 1,
    more: "of the loop’s time",
  },
  {
    title: "Requests",
    label: "Requests per second",
    colour: "--running",
    index: 3,
    format: rate,
    floor: 5,
    more: "per second",
  },
  {
    title: "Memory",
    label: "Memory",
    colour: "--receiving",
    index: 4,
    format: size,
    floor: 1 << 20,
    binary: true,
    more: "resident",
  },
];

export default {
  id: "overview",
  title: "Overview",
  key: "o",
  mount(root, model) {
    const top = h("div", { class: "overview-top" });
    const tiles = h("div", { class: "tiles" });
    const charts = CHARTS.map((each) => ({ ...each, chart: null, now: h("span", { class: "now" }) }));
    const routes = h("div", { class: "routes" });
    const cards = charts.map((each) => {
      each.chart = new Chart({
        label: each.label,
        series: [{ label: each.label, colour: each.colour }],
        format: each.format,
        floor: each.floor,
        height: 104,
        binary: each.binary,
      });
      return h(
        "section",
        { class: "card" },
        h("div", { class: "figure" }, h("h2", {}, each.title), h("span", { class: "more" }, each.more), each.now),
        each.chart.element,
      );
    });
    root.append(
      top,
      h("div", { class: "charts" }, cards),
      h("section", { class: "section" }, h("div", { class: "section-head" }, h("h2", {}, "Open now")), tiles),
      h(
        "section",
        { class: "section" },
        h("div", { class: "section-head" }, h("h2", {}, "Where the time of requests goes"), legend()),
        routes,
      ),
    );

    let shown = null;

    function showFindings() {
      const ordered = newestFirst(model.findings);
      const [first, ...rest] = ordered;
      const key = first ? keyOf(first) : `none ${model.findingsKnown}`;
      if (key !== shown?.key) {
        const card = first
          ? findingCard(first, { prominent: true, title: model.process === "all" ? model.title(first.pid) : null })
          : calm(model);
        shown = { key, card, list: h("div", { class: "further" }) };
        fill(top, card, shown.list);
      }
      if (first) shown.card.bring(model.time || Date.now() / 1000, first);
      const further = rest.slice(0, FURTHER).map((each) => ({ key: keyOf(each), each }));
      if (rest.length > FURTHER) further.push({ key: "more", more: rest.length - FURTHER });
      keyed(
        shown.list,
        further,
        (each) => each.key,
        (each) =>
          h("a", { href: "#/findings", class: each.more ? "more" : "", onclick: (event) => open(event, each.key) }),
        (element, each) => drawFurther(element, each),
      );
    }

    function open(event, key) {
      event.preventDefault();
      model.router.open("findings", { open: key === "more" ? null : key });
    }

    function drawFurther(element, item) {
      if (item.more) {
        setText(element, `${count(item.more, "more finding")}`);
        return;
      }
      if (!element.seenAt) {
        element.seenAt = h("span", { class: "quiet" });
        fill(
          element,
          severity(item.each),
          h("span", { class: "text" }, item.each.summary.slice(0, 300)),
          item.each.place ? h("span", { class: "at" }, where(item.each.place).slice(-80)) : null,
          element.seenAt,
        );
      }
      setText(element.seenAt, ago(item.each.last_seen, model.time || Date.now() / 1000));
    }

    function showHistory() {
      const points = model.history;
      const times = points.map((point) => point[0]);
      for (const each of charts) {
        const values = points.map((point) => point[each.index] ?? null);
        each.chart.show(times, [values]);
        const known = values.filter((value) => value !== null);
        setText(each.now, each.format(known.at(-1) ?? null));
      }
    }

    function showState() {
      const { state } = model;
      if (!state) return;
      const counts = state.open?.counts ?? {};
      const tasks = (state.process?.loops ?? []).reduce((sum, loop) => sum + (loop.tasks ?? 0), 0);
      const items = [
        ["connections", "Connections", number(counts.connections ?? 0), "connections"],
        ["requests", "Requests", number(counts.requests ?? 0), "requests"],
        ["websockets", "WebSockets", number(counts.websockets ?? 0), "connections"],
        ["event_streams", "Event streams", number(counts.event_streams ?? 0), "connections"],
        ["tasks", "Tasks", number(tasks), "tasks"],
        ["threads", "Threads", number(state.threads), "tasks"],
        ["files", "Open files", number(state.files), "memory"],
      ];
      keyed(
        tiles,
        items,
        ([key]) => key,
        ([key, label, , view]) => {
          const value = h("span", { class: "number" });
          const tile = h(
            "a",
            {
              class: "card tile",
              href: `#/${view}`,
              data: { count: key },
              onclick: (event) => (event.preventDefault(), model.router.open(view)),
            },
            value,
            h("span", { class: "label" }, label),
          );
          tile.value = value;
          return tile;
        },
        (tile, [, , value]) => setText(tile.value, value),
      );
      showRoutes(state);
    }

    function showRoutes(state) {
      const all = state.routes ?? [];
      const most = [...all].sort((one, other) => other.seconds - one.seconds).slice(0, ROUTES);
      const longest = Math.max(...most.map((each) => each.seconds), 1e-9);
      if (!most.length) {
        if (!routes.querySelector(".quiet")) {
          routes.keyedElements = undefined;
          fill(routes, h("p", { class: "quiet" }, "No request has ended yet."));
        }
        return;
      }
      routes.querySelector(":scope > .quiet")?.remove();
      keyed(
        routes,
        most,
        (each) => `${each.route} ${each.handler}`,
        (each) => {
          const element = h(
            "div",
            { class: "route-line" },
            h("span", { class: "name mono" }, each.route),
            h("span", { class: "bar-place" }),
            h("span", { class: "mean" }),
          );
          return element;
        },
        (element, each) => {
          const [, bar, mean] = element.children;
          bar.style.setProperty("--length", `${Math.max(2, (each.seconds / longest) * 100)}%`);
          drawStack(bar, each, each.seconds);
          setText(mean, `${number(each.count)} × ${seconds(each.seconds / each.count)}`);
        },
      );
    }

    showFindings();
    showHistory();
    showState();
    return {
      update(what) {
        if (what === "findings") showFindings();
        if (what === "history") showHistory();
        if (what === "state") {
          showFindings();
          showHistory();
          showState();
        }
      },
      unmount() {
        for (const each of charts) each.chart.close();
      },
    };
  },
};

function calm(model) {
  const text = model.findingsKnown
    ? "Nothing is wrong, as far as the doctor sees."
    : "Asking what the doctor has found…";
  return h("div", { class: "card calm" }, h("p", {}, text));
}
