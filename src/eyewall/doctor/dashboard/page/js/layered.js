// Places nodes of a directed graph in columns, so that edges lead from left to right, but for one of each circle.
//
//   column of a node   one more than those that lead to it; edges that would close a circle are left out for that
//   order in a column  by the middle of what a node is connected with, forth and back some times

const SWEEPS = 6;

/** `nodes`: [{ id }], `edges`: [{ from, to }]. Returns { columns: [[id, …], …], back: the edges that lead backwards }. */
export function layered(nodes, edges) {
  const following = new Map(nodes.map((each) => [each.id, []]));
  for (const edge of edges) if (following.has(edge.from) && following.has(edge.to)) following.get(edge.from).push(edge);
  const back = new Set();
  const order = [];
  const states = new Map();
  for (const { id } of nodes) visit(id);

  /** In depth first, without recursion: a chain may be long. */
  function visit(start) {
    if (states.has(start)) return;
    states.set(start, "open");
    const work = [[start, 0]];
    while (work.length) {
      const top = work.at(-1);
      const edge = following.get(top[0])[top[1]];
      top[1] += 1;
      if (!edge) {
        states.set(top[0], "done");
        order.push(top[0]);
        work.pop();
      } else if (!states.has(edge.to)) {
        states.set(edge.to, "open");
        work.push([edge.to, 0]);
      } else if (states.get(edge.to) === "open") back.add(edge);
    }
  }

  const depth = new Map(nodes.map((each) => [each.id, 0]));
  for (const id of order.reverse()) {
    for (const edge of following.get(id)) {
      if (!back.has(edge)) depth.set(edge.to, Math.max(depth.get(edge.to), depth.get(id) + 1));
    }
  }
  // Who waits stands right before what it waits for, not at the far end.
  for (const id of order.reverse()) {
    const next = following.get(id).filter((edge) => !back.has(edge)).map((edge) => depth.get(edge.to));
    if (next.length) depth.set(id, Math.max(depth.get(id), Math.min(...next) - 1));
  }
  const columns = [];
  for (const { id } of nodes) (columns[depth.get(id)] ??= []).push(id);
  const dense = columns.filter(Boolean);
  arrange(dense, edges.filter((edge) => depth.has(edge.from) && depth.has(edge.to)));
  return { columns: dense, back };
}

function arrange(columns, edges) {
  const near = new Map();
  for (const { from, to } of edges) {
    for (const [one, other] of [[from, to], [to, from]]) {
      if (!near.has(one)) near.set(one, []);
      near.get(one).push(other);
    }
  }
  const place = new Map();
  const note = (column) => column.forEach((id, index) => place.set(id, (index + 0.5) / column.length));
  columns.forEach(note);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const column of sweep % 2 ? [...columns].reverse() : columns) {
      const middle = new Map(
        column.map((id) => {
          const others = (near.get(id) ?? []).map((other) => place.get(other));
          return [id, others.length ? others.reduce((sum, each) => sum + each, 0) / others.length : place.get(id)];
        }),
      );
      column.sort((one, other) => middle.get(one) - middle.get(other));
      note(column);
    }
  }
}
