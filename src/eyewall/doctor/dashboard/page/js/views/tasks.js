// Live tasks: as a tree of who waits for whom, each with its chain of awaits; by what they run; and threads.

import { sheet } from "../confirm.js";
import { fill, h, keyed, setAttribute, setText } from "../dom.js";
import { count, number, seconds, where } from "../format.js";
import { cancelTask, facts, pill, placeOf, problem, subjectText, trace } from "../pieces.js";
import { Polling } from "../polling.js";
import { figures, Table } from "../table.js";
import { treeOf, wordsOf } from "../tasktree.js";

const SOME = 500;
const MANY = 5000;
/** Up to so many tasks, chains of awaits are shown from the start, and are asked for every other second. */
const FEW = 60;

export default {
  id: "tasks",
  title: "Tasks",
  key: "k",
  mount(root, model) {
    let answer = null;
    let limit = SOME;
    let mode = "tree";
    let chains = null;
    const closed = new Set();

    const modes = [
      ["tree", "Tree"],
      ["list", "List"],
      ["kinds", "By what they run"],
      ["threads", "Threads"],
    ].map(([id, title]) =>
      h("button", { type: "button", data: { mode: id, title }, onclick: () => ((mode = id), show()) }, title),
    );
    const chainBox = h("input", { type: "checkbox", onchange: () => ((chains = chainBox.checked), show()) });
    const chainLabel = h("label", { class: "check" }, chainBox, " Chains of awaits");
    const all = h(
      "button",
      { type: "button", hidden: true, onclick: () => ((limit = MANY), polling.now()) },
      `Show up to ${number(MANY)}`,
    );
    const note = h("p", { class: "note", hidden: true });
    const place = h("div", {});
    const failed = h("div", {});
    root.append(
      h(
        "div",
        { class: "tools" },
        h("div", { class: "choices-row", role: "group", "aria-label": "Show as" }, modes),
        chainLabel,
        all,
      ),
      note,
      failed,
      place,
    );

    const columns = [
      { id: "state", title: "State", value: (row) => row.task?.state, render: drawState, width: "6.2rem", wide: true },
      {
        id: "waiting",
        title: "Waits",
        align: "end",
        value: (row) => row.task?.waiting,
        text: (row) => (row.task ? seconds(row.task.waiting) : ""),
        width: "5.6rem",
      },
      {
        id: "where",
        title: "Stands at",
        value: (row) => placeText(row),
        text: placeText,
        width: "minmax(7.6rem, 1.3fr)",
      },
      {
        id: "for",
        title: "Waits for",
        value: (row) => row.words ?? "",
        text: (row) => row.words ?? "",
        width: "minmax(8rem, 1.6fr)",
        wide: true,
      },
      {
        id: "subject",
        title: "On behalf of",
        value: (row) => subjectText(row.task?.subject),
        text: (row) => subjectText(row.task?.subject),
        width: "minmax(7.4rem, 1fr)",
        wide: true,
      },
      {
        id: "age",
        title: "Seen for",
        align: "end",
        value: (row) => row.task?.age,
        text: (row) => (row.task ? seconds(row.task.age) : ""),
        width: "7rem",
        wide: true,
      },
    ];
    const act = (row) => row.task && cancel(row.task);
    const open = (row) => row.task && openTask(row.task);
    const tables = {
      tree: new Table({
        label: "Tasks, each above those that it waits for",
        key: (row) => row.key,
        empty: "No task is there.",
        open,
        act,
        tree: { set: (row, expanded) => (expanded ? closed.delete(row.key) : closed.add(row.key), show()) },
        covers: (row, shown) =>
          row.task ? 1 : row.frame ? shown.findIndex((each) => each.id === "where") : shown.length,
        search: (row) => row.search,
        columns: [
          { id: "name", title: "Task", render: drawName, text: (row) => row.name, width: "minmax(7.2rem, 3.4fr)" },
          ...columns,
        ],
      }),
      list: new Table({
        label: "Tasks",
        key: (row) => row.key,
        empty: "No task is there.",
        open,
        act,
        sort: { id: "waiting", descending: true },
        columns: [
          { id: "name", title: "Task", value: (row) => row.task.name, width: "minmax(8rem, 1fr)" },
          {
            id: "coroutine",
            title: "Coroutine",
            value: (row) => row.task.coroutine,
            width: "minmax(8rem, 1fr)",
            wide: true,
          },
          ...columns,
        ],
      }),
      kinds: new Table({
        label: "Tasks by what they run",
        key: (row) => `${row.place?.file}:${row.place?.line}`,
        empty: "No task is there.",
        sort: { id: "count", descending: true },
        columns: [
          figures("count", "Tasks", number, { width: "5rem" }),
          { id: "function", title: "Coroutine", value: (row) => row.place?.function, width: "minmax(7rem, 1fr)" },
          {
            id: "where",
            title: "Where it begins",
            value: (row) => where(row.place, true),
            text: (row) => where(row.place, true),
            width: "minmax(7rem, 2fr)",
          },
        ],
      }),
    };
    const threads = h("div", { class: "finding-list" });

    const cancel = (task) => cancelTask(model, task, model.pid).then((done) => (done ? polling.now() : null));

    function openTask(task) {
      const waits = task.waits_for;
      const element = sheet({
        title: task.name,
        content: [
          facts([
            ["Coroutine", task.coroutine],
            ["State", task.cancelling ? `${task.state}, is being cancelled` : task.state],
            ["On behalf of", subjectText(task.subject)],
            ["Waits since", task.waiting === null ? null : seconds(task.waiting)],
            ["Seen for", task.age === null ? null : seconds(task.age)],
            ["Begins at", task.defined ? where(task.defined, true) : null],
          ]),
          h(
            "section",
            {},
            h("h3", {}, "Chain of awaits, the outermost first"),
            trace(task.chain, "Chain of awaits"),
            waits && task.state !== "running"
              ? h("p", { class: "chain-end" }, `waits for ${waits.words}${left(waits)}`)
              : null,
          ),
          waits?.held_by
            ? h(
                "section",
                {},
                h("h3", {}, "Held by"),
                waits.held_by.length
                  ? waits.held_by.map((each) => h("div", {}, h("p", {}, `task ${each.task}, taken at`), placeOf(each)))
                  : h("p", { class: "quiet" }, "It is not known who holds it."),
              )
            : null,
          task.holds?.length
            ? h(
                "section",
                {},
                h("h3", {}, "Holds"),
                task.holds.map((each) => h("div", {}, h("p", {}, `${each.what}, taken at`), placeOf(each))),
              )
            : null,
        ],
        buttons: [
          h(
            "button",
            { type: "button", class: "danger", onclick: async () => (await cancel(task)) && element.close() },
            "Cancel the task…",
          ),
        ],
      });
    }

    function show() {
      const tasks = answer?.tasks ?? [];
      chainBox.checked = chains ?? tasks.length <= FEW;
      chainLabel.hidden = mode !== "tree";
      const counts = { threads: answer?.threads?.length, tree: tasks.length + (answer?.omitted ?? 0) };
      for (const each of modes) {
        const many = counts[each.dataset.mode];
        setText(each, many === undefined ? each.dataset.title : `${each.dataset.title} ${number(many)}`);
        setAttribute(each, "aria-pressed", each.dataset.mode === mode ? "true" : "false");
      }
      const wanted = mode === "threads" ? threads : tables[mode].element;
      if (place.firstChild !== wanted) fill(place, wanted);
      if (mode === "kinds") {
        const left = model.state?.tasks_left_out;
        if (model.process === "all")
          tables.kinds.show(model.state?.tasks ?? [], { note: "Of all processes that are shown." });
        else
          tables.kinds.show(model.state?.tasks ?? [], {
            note: left ? `${count(left, "more task")} are not told of.` : "",
          });
      }
      if (!answer) {
        if (mode === "tree" || mode === "list") tables[mode].show([], { empty: "Asking…" });
        return;
      }
      const omitted = answer.omitted ?? 0;
      all.hidden = !omitted || limit >= MANY;
      note.hidden = !omitted;
      setText(note, `${omitted ? `${count(omitted, "more task")} not shown.` : ""}`);
      if (mode === "tree")
        tables.tree.show(treeOf(tasks, closed, chainBox.checked), { counted: count(tasks.length, "task") });
      else if (mode === "list")
        tables.list.show(
          tasks.map((task) => ({ key: task.id, task, words: wordsOf(task) })),
          { total: tasks.length + omitted },
        );
      else if (mode === "threads") showThreads();
    }

    function showThreads() {
      keyed(
        threads,
        answer.threads,
        (thread) => thread.ident,
        (thread) => {
          const element = h(
            "article",
            { class: "card thread" },
            h("h2", {}, thread.name, thread.daemon ? " " : null, thread.daemon ? pill("daemon") : null),
          );
          element.spot = h("div", {});
          element.stack = h("div", { class: "evidence" });
          element.append(element.spot, h("details", {}, h("summary", {}, "Stack"), element.stack));
          return element;
        },
        (element, thread) => {
          const drawn = JSON.stringify(thread);
          if (element.drawn === drawn) return;
          element.drawn = drawn;
          fill(element.spot, thread.place ? placeOf(thread.place) : null);
          fill(element.stack, trace(thread.stack, `Stack of ${thread.name}`));
        },
      );
    }

    const polling = new Polling(
      model,
      async () => {
        try {
          const found = await model.ask("stacks", { limit });
          if (polling.ended) return;
          answer = found;
          // What is so large that it takes the process some time is not asked for all the time.
          polling.interval = found.tasks.length <= FEW ? 1500 : found.tasks.length <= SOME ? 3000 : 15000;
          fill(failed);
          show();
        } catch (error) {
          if (!polling.ended) fill(failed, problem(error));
        }
      },
      1500,
    );
    show();
    return {
      update(what) {
        if (what === "state" && mode === "kinds") show();
      },
      unmount() {
        polling.end();
        for (const each of Object.values(tables)) each.close();
      },
    };
  },
};

const placeText = (row) => (row.task ? where(row.task.place) : where(row.frame));

const left = (waits) =>
  waits.seconds_left === null || waits.seconds_left === undefined
    ? ""
    : `, ${seconds(Math.max(0, waits.seconds_left))} left`;

const STATES = { running: "good", ready: "warm", waiting: "calm" };

function drawState(cell, row) {
  if (cell.shown === row.task?.state) return;
  cell.shown = row.task?.state;
  fill(cell, row.task ? pill(row.task.state, STATES[row.task.state]) : null);
}

function drawName(cell, row) {
  if (!cell.parts) {
    cell.parts = [
      h("span", { class: "indent" }),
      h("span", { class: "twist", "aria-hidden": "true" }),
      h("span", { class: "quiet" }),
      h("span", {}),
      h("span", { class: "quiet" }),
    ];
    fill(cell, cell.parts);
  }
  const [indent, twist, relation, name, more] = cell.parts;
  indent.style.setProperty("--depth", row.depth);
  setText(twist, row.expanded === null ? "" : row.expanded ? "▾" : "▸");
  twist.className = `twist${row.expanded === null ? "" : " opens"}`;
  setText(relation, row.relation ? `${row.relation} ` : "");
  name.className = row.frame ? "mono source-line" : row.task ? "task-name" : "quiet";
  setText(name, row.name.slice(0, 300));
  setText(more, row.more ? ` ${row.more.slice(0, 200)}` : "");
}
