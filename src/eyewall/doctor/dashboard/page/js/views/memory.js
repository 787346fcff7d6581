// Memory and what it goes to: growth by kind, what has ended and is still there, the garbage collector; and on demand,
// the lines that allocate.

import { Chart } from "../chart.js";
import { confirm, toast } from "../confirm.js";
import { fill, h, setText } from "../dom.js";
import { count, number, seconds, size, where } from "../format.js";
import { facts, problem } from "../pieces.js";
import { Polling } from "../polling.js";
import { figures, Table } from "../table.js";

/** Seconds for which allocations are traced. */
const TRACED = 5;

export default {
  id: "memory",
  title: "Memory",
  key: "m",
  mount(root, model) {
    const now = h("span", { class: "now" });
    const grown = h("span", { class: "more" });
    const chart = new Chart({
      label: "Memory",
      series: [{ label: "Memory", colour: "--receiving" }],
      format: size,
      floor: 1 << 20,
      binary: true,
      height: 160,
    });
    const failed = h("div", {});
    const kinds = new Table({
      label: "What there is, by kind",
      key: (row) => row.name,
      filter: false,
      sort: { id: "grown", descending: true },
      height: "26rem",
      columns: [
        { id: "name", title: "Kind", value: (row) => row.name.replaceAll("_", " "), width: "minmax(9rem, 2fr)" },
        figures("count", "Number", number, { width: "minmax(5rem, 1fr)" }),
        figures("grown", "Growth", (value) => signed(value, number), { width: "minmax(5rem, 1fr)" }),
      ],
    });
    const kept = new Table({
      label: "Ended and still there",
      key: (row) => row.name,
      filter: false,
      empty: "Nothing that has ended is still there.",
      sort: { id: "number", descending: true },
      height: "18rem",
      columns: [
        { id: "name", title: "Class", value: (row) => row.name, width: "minmax(9rem, 3fr)" },
        { id: "noun", title: "What", value: (row) => row.noun, width: "minmax(6rem, 1fr)", wide: true },
        figures("number", "Number", number, { width: "5.5rem" }),
        figures("oldest", "Oldest", seconds, { width: "6.5rem", wide: true }),
      ],
    });
    const handlers = new Table({
      label: "Handlers of live requests",
      key: (row) => row.name,
      filter: false,
      empty: "No handler is at work.",
      sort: { id: "count", descending: true },
      height: "18rem",
      columns: [
        { id: "name", title: "Handler", value: (row) => row.name, width: "minmax(9rem, 2fr)" },
        figures("count", "Number", number, { width: "6rem" }),
      ],
    });
    const generations = h("div", {});
    const sites = new Table({
      label: "Lines that hold more memory than before",
      key: (row) => `${row.place?.file}:${row.place?.line}`,
      empty: "Not traced yet.",
      sort: { id: "bytes", descending: true },
      columns: [
        figures("bytes", "Growth", (value) => signed(value, size), { width: "6.5rem" }),
        {
          id: "where",
          title: "Line",
          value: (row) => where(row.place, true),
          text: (row) => where(row.place, true),
          width: "minmax(9rem, 1.4fr)",
        },
        {
          id: "source",
          title: "Source",
          value: (row) => row.place?.source ?? "",
          text: (row) => row.place?.source ?? "",
          width: "minmax(9rem, 1.6fr)",
          wide: true,
        },
        figures("blocks", "Blocks", (value) => signed(value, number), { width: "6rem", wide: true }),
        figures("total", "In all", size, { width: "6.5rem", wide: true, value: (row) => row.total_bytes }),
      ],
    });
    const button = h("button", { type: "button", onclick: traceSites }, "Trace allocations…");
    const since = h("span", { class: "quiet" });
    root.append(
      h(
        "section",
        { class: "card" },
        h("div", { class: "figure" }, h("h2", {}, "Resident memory"), grown, now),
        chart.element,
      ),
      failed,
      h(
        "div",
        { class: "columns" },
        h(
          "section",
          { class: "section" },
          h("div", { class: "section-head" }, h("h2", {}, "By kind"), since),
          kinds.element,
        ),
        h(
          "section",
          { class: "section" },
          h("div", { class: "section-head" }, h("h2", {}, "Ended and still there")),
          kept.element,
        ),
        h(
          "section",
          { class: "section" },
          h("div", { class: "section-head" }, h("h2", {}, "Handlers of live requests")),
          handlers.element,
        ),
        h(
          "section",
          { class: "section" },
          h("div", { class: "section-head" }, h("h2", {}, "Garbage collector")),
          generations,
        ),
      ),
      h(
        "section",
        { class: "section" },
        h("div", { class: "section-head" }, h("h2", {}, "By line"), button),
        sites.element,
      ),
    );

    function showChart() {
      chart.show(
        model.history.map((point) => point[0]),
        [model.history.map((point) => point[4] ?? null)],
      );
    }

    const polling = new Polling(
      model,
      async () => {
        try {
          const answer = await model.ask("memory");
          if (polling.ended) return;
          fill(failed);
          show(answer);
        } catch (error) {
          if (!polling.ended) fill(failed, problem(error));
        }
      },
      2000,
    );

    function show(answer) {
      setText(now, size(answer.resident));
      setText(grown, answer.grown === null ? "" : `${signed(answer.grown, size)} in ${seconds(answer.since)}`);
      setText(since, `growth in the last ${seconds(answer.since)}`);
      kinds.show(answer.kinds);
      kept.show(answer.kept);
      handlers.show(answer.handlers);
      const { collector } = answer;
      fill(
        generations,
        h(
          "div",
          { class: "card" },
          facts([
            ["Enabled", collector.enabled ? "yes" : "no"],
            ["Threshold", collector.threshold.join(", ")],
            ["Frozen", number(collector.frozen)],
            ...collector.generations.map((each, index) => [
              `Generation ${index}`,
              `${count(each.collections, "collection")} in ${seconds(each.seconds)}, the longest ${seconds(each.longest)}; ${count(each.collected, "object")} collected${each.uncollectable ? `, ${number(each.uncollectable)} could not be` : ""}`,
            ]),
          ]),
        ),
      );
    }

    async function traceSites() {
      const wanted = await confirm({
        title: `Trace allocations for ${TRACED} s?`,
        text: "Every allocation is noted meanwhile: the process is several times slower for these seconds.",
        action: "Trace",
        danger: false,
      });
      if (!wanted) return;
      button.disabled = true;
      setText(button, "Tracing…");
      try {
        const answer = await model.ask("memory-sites", { seconds: TRACED });
        sites.show(answer.sites, { note: answer.cost, empty: "No line holds more memory than before." });
        toast("Allocations were traced.");
      } catch (error) {
        toast(error.message, "bad");
      } finally {
        button.disabled = false;
        setText(button, "Trace allocations…");
      }
    }

    showChart();
    return {
      update(what) {
        if (what === "history" || what === "state") showChart();
      },
      unmount() {
        polling.end();
        chart.close();
        for (const each of [kinds, kept, handlers, sites]) each.close();
      },
    };
  },
};

function signed(value, format) {
  if (typeof value !== "number") return format(value);
  return value > 0 ? `+${format(value)}` : value < 0 ? `−${format(-value)}` : format(0);
}
