// Rows of a tree of tasks: each task above its chain of awaits, and below that the tasks that it waits for.

import { seconds } from "./format.js";

/**
 * Rows in the order in which they are shown. `closed`: keys of rows whose branches are not; `chains`: whether chains of
 * awaits are. A row is { key, depth, expanded (null where there is no branch), relation (to the task that waits for it),
 * name, more, words, task | frame, search }.
 */
export function treeOf(tasks, closed, chains) {
  const byName = new Map(tasks.map((each) => [each.name, each]));
  const awaited = new Set(tasks.flatMap(waitedFor));
  const rows = [];
  const shown = new Set();
  // Tasks in a circle are waited for by each other, and begin anywhere.
  const roots = [...tasks].sort((one, other) => Number(awaited.has(one.name)) - Number(awaited.has(other.name)));

  // A chain of tasks may be as long as there are tasks: no recursion.
  for (const root of roots) {
    if (shown.has(root.id)) continue;
    const todo = [{ task: root, depth: 0 }];
    while (todo.length) {
      const item = todo.pop();
      if (item.row) {
        rows.push(item.row);
        continue;
      }
      const { task, depth, relation = "" } = item;
      if (shown.has(task.id)) {
        rows.push({
          key: `${task.id} again ${rows.length}`,
          depth: Math.min(depth, 24),
          expanded: null,
          relation,
          name: task.name,
          more: "shown above",
          words: "",
          search: task.name.toLowerCase(),
        });
        continue;
      }
      shown.add(task.id);
      const below = [...new Set(waitedFor(task))].map((name) => byName.get(name)).filter(Boolean);
      const branches = below.length > 0 || (chains && task.chain.length > 0);
      const expanded = branches ? !closed.has(task.id) : null;
      const frames = chains ? task.chain.map((frame, index) => frameRow(task, frame, index, depth + 1)) : [];
      rows.push({
        key: task.id,
        depth: Math.min(depth, 24),
        expanded,
        relation,
        name: task.name,
        more: task.coroutine,
        words: wordsOf(task),
        task,
        search: searched(task),
      });
      if (expanded === false) {
        // What is below it stays with it, and is not shown elsewhere.
        hide(below, byName, shown);
        continue;
      }
      // Below the line that waits for them, where it is shown.
      const holders = new Set((task.waits_for?.held_by ?? []).map((each) => each.task));
      for (const each of below.reverse()) {
        const how = holders.has(each.name) ? "held by" : "waits for";
        todo.push({ task: each, depth: depth + (frames.length ? 2 : 1), relation: how });
      }
      for (const row of frames.reverse()) todo.push({ row });
    }
  }
  return rows;
}

function hide(tasks, byName, shown) {
  const todo = [...tasks];
  while (todo.length) {
    const task = todo.pop();
    if (shown.has(task.id)) continue;
    shown.add(task.id);
    todo.push(
      ...waitedFor(task)
        .map((name) => byName.get(name))
        .filter(Boolean),
    );
  }
}

function frameRow(task, frame, index, depth) {
  return {
    key: `${task.id} ${index}`,
    depth: Math.min(depth, 24),
    expanded: null,
    relation: "",
    name: frame.source || frame.function,
    more: frame.source ? `in ${frame.function}` : "",
    words: "",
    frame,
    search: searched(task),
  };
}

const waitedFor = (task) => [
  ...(task.waits_for?.tasks ?? []),
  ...(task.waits_for?.held_by ?? []).map((each) => each.task),
];

const searched = (task) =>
  [
    task.name,
    task.coroutine,
    task.state,
    task.subject?.path,
    task.place?.file,
    task.place?.function,
    task.waits_for?.words,
  ]
    .join("\n")
    .toLowerCase();

export function wordsOf(task) {
  if (!task.waits_for || task.state !== "waiting") return "";
  const { seconds_left: left, words } = task.waits_for;
  return left === null || left === undefined ? words : `${words}, ${seconds(Math.max(0, left))} left`;
}
