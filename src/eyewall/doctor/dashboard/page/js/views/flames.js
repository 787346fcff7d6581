// A profile on demand: for how long, by which clock, and what came of it as a flame graph and as a table.

import { fill, h, setText } from "../dom.js";
import { FlameGraph, functionsOf, isOwn, matched, parts, treeOf } from "../flamegraph.js";
import { seconds, share } from "../format.js";
import { facts, problem } from "../pieces.js";
import { Table } from "../table.js";

const LONGEST = 120;
const INTERVAL = 500;
const CLOCKS = {
  cpu: "CPU: what keeps the processor busy",
  wall: "Wall: where threads and tasks stand, also those that wait",
};

export default {
  id: "flames",
  title: "Flames",
  key: "l",
  mount(root, model) {
    let ended = false;
    let answer = null;
    let total = 0;
    let timer = 0;

    const length = h("input", { type: "number", id: "profile-seconds", min: "1", max: LONGEST, step: "1", value: "5", required: true });
    const clock = h("select", { id: "profile-clock" }, Object.entries(CLOCKS).map(([name, what]) => h("option", { value: name }, what)));
    const start = h("button", { type: "submit", class: "primary" }, "Start profile");
    const progress = h("progress", { max: "1", "aria-label": "The profile", hidden: true });
    const status = h("p", { class: "quiet", role: "status" }, "A thread of the process looks a hundred times a second where all others stand. It is hardly slower meanwhile.");
    const form = h(
      "form",
      { class: "profile card", onsubmit: begin },
      h("label", { for: "profile-seconds" }, "Seconds"),
      length,
      h("label", { for: "profile-clock" }, "Clock"),
      clock,
      start,
      progress,
    );
    const failed = h("div", {});
    const search = h("input", { type: "search", class: "filter", placeholder: "Find a function or file", "aria-label": "Find a function or file", "aria-keyshortcuts": "/", autocomplete: "off", spellcheck: "false", oninput: find });
    const found = h("span", { class: "told", role: "status" });
    const back = h("button", { type: "button", onclick: () => graph.zoom(graph.top.parent ?? graph.top), disabled: true }, "Zoom out");
    const detail = h("div", { class: "card frame-detail" });
    const graph = new FlameGraph("Flame graph: arrow keys go from frame to frame, Enter zooms in, Escape out", tell);
    const table = new Table({
      label: "Functions",
      key: (row) => row.name,
      filter: false,
      empty: "No function matches.",
      sort: { id: "own", descending: true },
      height: "26rem",
      columns: [
        { id: "function", title: "Function", value: (row) => parts(row.name).function, width: "minmax(10rem, 1.4fr)" },
        { id: "own", title: "In itself", align: "end", value: (row) => row.own, text: (row) => `${seconds(row.own)} · ${share(row.own / total)}`, width: "9rem" },
        { id: "total", title: "With calls", align: "end", value: (row) => row.total, text: (row) => `${seconds(row.total)} · ${share(row.total / total)}`, width: "9rem", wide: true },
        { id: "where", title: "Where", value: (row) => row.name, text: (row) => { const { file, line } = parts(row.name); return line ? `${file}:${line}` : file; }, width: "minmax(10rem, 2fr)", wide: true },
      ],
    });
    const result = h(
      "section",
      { class: "section", hidden: true, "aria-label": "What was recorded" },
      h("div", { class: "tools" }, search, back, found),
      h("div", { class: "flames-place" }, graph.element),
      detail,
      h("div", { class: "section-head" }, h("h2", {}, "By function")),
      table.element,
    );
    root.append(form, status, failed, result);

    async function begin(event) {
      event.preventDefault();
      const { pid } = model;
      const wanted = Number(length.value);
      fill(failed);
      start.disabled = true;
      try {
        const { id } = await model.act("profile", { pid, seconds: wanted, clock: clock.value });
        progress.hidden = false;
        await follow(pid, id, wanted);
      } catch (error) {
        if (!ended) fill(failed, problem(error));
      } finally {
        start.disabled = false;
        progress.hidden = true;
      }
    }

    async function follow(pid, id, wanted) {
      for (;;) {
        const said = await model.ask("profile", { pid, id });
        if (ended) return;
        if (said.stacks) return show(said);
        progress.value = Math.min(1, 1 - said.left / wanted);
        setText(status, `Profiling ${model.title(pid)}: ${seconds(said.left)} left.`);
        await new Promise((done) => (timer = setTimeout(done, INTERVAL)));
        if (ended) return;
      }
    }

    function show(said) {
      answer = said;
      total = answer.stacks.reduce((sum, [, weight]) => sum + weight, 0);
      if (!total) {
        result.hidden = true;
        setText(status, said.clock === "cpu" ? "No thread was on a processor meanwhile: the process has nothing to do, or waits. The wall clock shows what for." : "No thread and no task was seen.");
        return;
      }
      setText(status, `${seconds(total)} in ${said.seconds} s, by the ${said.clock} clock${said.clock === "wall" ? ": of all threads and tasks together" : ""}.`);
      result.hidden = false;
      graph.show(treeOf(answer.stacks));
      tell(graph.top);
      find();
    }

    function find() {
      if (!answer) return;
      const needle = search.value.trim().toLowerCase();
      const matches = (name) => needle !== "" && name.toLowerCase().includes(needle);
      graph.search(matches);
      setText(found, needle ? `in ${share(matched(answer.stacks, matches) / total)} of the time` : "");
      table.show(functionsOf(answer.stacks).filter((each) => !needle || matches(each.name)));
    }

    function tell(node) {
      back.disabled = !graph.top?.parent;
      const { function: name, file, line } = parts(node.name);
      fill(
        detail,
        h("h2", {}, name),
        facts([
          ["Where", line ? `${file}:${line}` : file],
          ["With what it calls", `${seconds(node.total)}, ${share(node.total / total)}`],
          ["In itself", `${seconds(node.own)}, ${share(node.own / total)}`],
          ["Whose", node.depth && file ? (isOwn(node.name) ? "the application’s" : "a library’s") : ""],
        ]),
      );
    }

    return {
      unmount() {
        ended = true;
        clearTimeout(timer);
        table.close();
      },
    };
  },
};
