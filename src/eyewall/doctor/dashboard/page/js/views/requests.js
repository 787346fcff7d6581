// Requests by route, with where their time goes; and those that are live, the slowest first.

import { sheet } from "../confirm.js";
import { fill, h, setAttribute } from "../dom.js";
import { number, rate, seconds, share, text, where } from "../format.js";
import { Opened } from "../opened.js";
import { drawStack, facts, legend, openEntry, PHASES } from "../pieces.js";
import { figures, processColumns, Table } from "../table.js";

/** Seconds that "lately" looks back. */
const LATELY = 30;

const keyOf = (route) => `${route.route} ${route.handler}`;

export default {
  id: "requests",
  title: "Requests",
  key: "r",
  mount(root, model) {
    let lately = false;
    const past = [];
    const rates = h("div", { class: "choices-row", role: "group", "aria-label": "Period" });
    const buttons = [
      ["start", "Since the start", false],
      ["lately", `Last ${LATELY} s`, true],
    ].map(([id, title, value]) =>
      h("button", { type: "button", data: { period: id }, onclick: () => ((lately = value), showRoutes()) }, title),
    );
    fill(rates, buttons);

    const routes = new Table({
      label: "Requests by route",
      key: keyOf,
      empty: "No request has ended yet.",
      sort: { id: "seconds", descending: true },
      open: (row) => openRoute(row, model),
      tools: [rates, legend()],
      height: "24rem",
      columns: [
        { id: "route", title: "Route", value: (row) => row.route, width: "minmax(7rem, 1.6fr)" },
        { id: "handler", title: "Handler", value: (row) => row.handler, width: "minmax(8rem, 1fr)", wide: true },
        {
          id: "seconds",
          title: "Time",
          value: (row) => row.seconds,
          render: (cell, row) => drawStack(cell, row, row.seconds),
          width: "minmax(7rem, 2fr)",
        },
        figures("mean", "Mean", seconds, { width: "5.5rem", value: mean }),
        figures("blocking", "Blocking", share, { width: "6rem", wide: true, value: (row) => part(row, "blocking") }),
        figures("live", "Live", number, { width: "4rem", wide: true }),
        figures("rate", "Per second", rate, { width: "6.5rem", wide: true }),
        figures("count", "Requests", number, { width: "6.2rem", wide: true }),
      ],
    });

    const live = new Table({
      label: "Live requests, the slowest first",
      key: (row) => `${row.pid} ${row.id}`,
      empty: "No request is live.",
      sort: { id: "age", descending: true },
      open: (row) => openEntry(model, row, text(row.label)),
      columns: [
        figures("age", "Age", seconds, { width: "5.2rem" }),
        { id: "label", title: "Request", value: (row) => row.label, width: "minmax(8rem, 1.5fr)" },
        { id: "route", title: "Route", value: (row) => row.route, width: "minmax(8rem, 1fr)", wide: true },
        {
          id: "place",
          title: "Stands at",
          value: (row) => (row.place ? where(row.place) : ""),
          text: (row) => where(row.place),
          width: "minmax(6.5rem, 1fr)",
        },
        {
          id: "waits",
          title: "Waits for",
          value: (row) => row.waits_for ?? "",
          text: (row) => text(row.waits_for),
          width: "minmax(9rem, 2fr)",
          wide: true,
        },
        { id: "peer", title: "Peer", value: (row) => row.peer, width: "8rem", wide: true },
        ...processColumns(model),
      ],
    });

    root.append(
      h("section", { class: "section" }, h("div", { class: "section-head" }, h("h2", {}, "By route")), routes.element),
      h(
        "section",
        { class: "section" },
        h("div", { class: "section-head" }, h("h2", {}, "Live, the slowest first")),
        live.element,
      ),
    );

    const opened = new Opened(model, ["requests"], (rows, told) => live.show(rows, told));
    live.onsort = (sort) => opened.change({ sort: sort.id });

    /** Counts of a moment some time ago, by route; null where that is not known yet. */
    function earlier() {
      const oldest = past.find((each) => model.time - each.time <= LATELY);
      return oldest && model.time > oldest.time ? oldest : null;
    }

    function showRoutes() {
      for (const each of buttons)
        setAttribute(each, "aria-pressed", (each.dataset.period === "lately") === lately ? "true" : "false");
      const { state } = model;
      if (!state) return;
      const alive = new Map();
      for (const each of state.open?.entries?.requests ?? []) alive.set(each.route, (alive.get(each.route) ?? 0) + 1);
      const before = earlier();
      const passed = before ? model.time - before.time : 0;
      const rows = (state.routes ?? []).map((route) => {
        const known = before?.routes.get(keyOf(route));
        const row = { ...route, live: alive.get(route.route) ?? 0 };
        row.rate = passed > 0 ? Math.max(0, route.count - (known?.count ?? 0)) / passed : null;
        if (lately && before) {
          for (const name of ["count", "seconds", ...Object.keys(PHASES)])
            row[name] = Math.max(0, route[name] - (known?.[name] ?? 0));
        }
        return row;
      });
      const served = new Set(rows.map((each) => each.route));
      for (const [route, many] of alive) {
        // None of its requests has ended yet.
        if (!served.has(route)) rows.push({ route, handler: "", live: many, count: 0, seconds: 0, rate: null });
      }
      routes.show(rows, { note: lately && !before ? "What the last seconds were is known in a moment." : "" });
    }

    function take() {
      if (!model.state || past.at(-1)?.time === model.time) return;
      past.push({ time: model.time, routes: new Map((model.state.routes ?? []).map((each) => [keyOf(each), each])) });
      while (past.length && model.time - past[0].time > LATELY) past.shift();
    }

    take();
    showRoutes();
    return {
      update(what) {
        if (what !== "state") return;
        take();
        showRoutes();
      },
      unmount() {
        opened.end();
        routes.close();
        live.close();
      },
    };
  },
};

const mean = (row) => (row.count ? row.seconds / row.count : null);

const part = (row, phase) => (row.seconds > 0 ? row[phase] / row.seconds : null);

function openRoute(row, model) {
  const bar = h("div", {});
  drawStack(bar, row, row.seconds);
  const split = Object.entries(PHASES).map(([phase, what]) => [
    phase,
    row.count ? `${share(part(row, phase))}, ${seconds(row[phase] / row.count)} of a request: ${what}` : null,
  ]);
  const element = sheet({
    title: row.route,
    content: [
      bar,
      facts([
        ["Handler", row.handler],
        ["Live", number(row.live)],
        ["Requests", number(row.count)],
        ["Per second", rate(row.rate)],
        ["Mean", seconds(mean(row))],
        ...split,
        ["Measured", row.suspended ? `${number(row.measured)} of ${number(row.suspended)} that have waited` : null],
      ]),
    ],
    buttons: [
      h(
        "button",
        {
          type: "button",
          onclick: () => {
            element.close();
            model.router.open("timeline", { route: row.route });
          },
        },
        "Timelines of its requests",
      ),
    ],
  });
}
