// Connections, WebSockets, event streams and connections of clients; each can be closed.

import { h, setAttribute, setText } from "../dom.js";
import { number, seconds, size } from "../format.js";
import { MANY, Opened, SOME } from "../opened.js";
import { closeEntry, kindText, openEntry } from "../pieces.js";
import { figures, processColumns, Table } from "../table.js";

const KINDS = [
  ["connections", "Connections"],
  ["websockets", "WebSockets"],
  ["event_streams", "Event streams"],
  ["client_connections", "Of clients"],
];
/** Milliseconds after the last letter of a filter, before processes are asked. */
const PATIENCE = 250;

export default {
  id: "connections",
  title: "Connections",
  key: "c",
  mount(root, model) {
    let kind = KINDS.some(([id]) => id === model.router.parameters.kind) ? model.router.parameters.kind : "connections";
    let writing = 0;
    const buttons = KINDS.map(([id, title]) =>
      h("button", { type: "button", data: { kind: id, title }, onclick: () => choose(id) }, title),
    );
    const all = h(
      "button",
      { type: "button", hidden: true, onclick: () => opened.change({ limit: MANY }) },
      `Show up to ${number(MANY)}`,
    );
    const table = new Table({
      label: "What is open",
      key: (row) => `${row.pid} ${row.id}`,
      empty: "Nothing of this kind is open.",
      sort: { id: "age", descending: true },
      open: (row) => openEntry(model, row, `${kindText(row.kind)} ${row.peer ? `of ${row.peer}` : ""}`),
      act: (row) => closeEntry(model, row, row.pid),
      tools: [all],
      columns: [
        { id: "peer", title: "Peer", value: (row) => row.peer, width: "minmax(7rem, 1fr)" },
        { id: "label", title: "What", value: (row) => row.label, width: "minmax(6rem, 2fr)" },
        { id: "route", title: "Route", value: (row) => row.route, width: "minmax(6rem, 1fr)", wide: true },
        figures("age", "Age", seconds, { width: "7rem" }),
        figures("idle", "Idle", seconds, { width: "7rem", wide: true }),
        figures("bytes_in", "In", size, { width: "5.5rem", wide: true }),
        figures("bytes_out", "Out", size, { width: "5.5rem", wide: true }),
        ...processColumns(model),
      ],
    });
    root.append(
      h("div", { class: "tools" }, h("div", { class: "choices-row", role: "group", "aria-label": "Kind" }, buttons)),
      table.element,
    );

    const opened = new Opened(model, [kind], (rows, told) => {
      all.hidden = !told.cut || opened.limit >= MANY;
      table.show(rows, told);
    });
    table.onsort = (sort) => opened.change({ sort: sort.id });
    table.input.addEventListener("input", () => {
      clearTimeout(writing);
      // What is here already is filtered at once; processes are asked for what is not.
      writing = setTimeout(() => opened.change({ contains: table.input.value.trim() }), PATIENCE);
    });

    function choose(id) {
      kind = id;
      model.router.note({ kind: id });
      table.show([], { empty: "Asking…" });
      opened.change({ registries: [id], limit: SOME });
      showCounts();
    }

    function showCounts() {
      const counts = model.state?.open?.counts ?? {};
      for (const each of buttons) {
        setText(each, `${each.dataset.title} ${number(counts[each.dataset.kind] ?? 0)}`);
        setAttribute(each, "aria-pressed", each.dataset.kind === kind ? "true" : "false");
      }
    }

    showCounts();
    return {
      update(what) {
        if (what === "state") showCounts();
      },
      unmount() {
        clearTimeout(writing);
        opened.end();
        table.close();
      },
    };
  },
};
