// Who waits for whom: a drawing, and the same as a table. Circles, of which nobody will ever go on, come first and in words.

import { fill, h, s, setAttribute } from "../dom.js";
import { count, number, seconds, text, UNKNOWN, where } from "../format.js";
import { layered } from "../layered.js";
import { facts, placeOf, problem, subjectText } from "../pieces.js";
import { Polling } from "../polling.js";
import { figures, Table } from "../table.js";

const LIMIT = 120;
const WIDTH = 178;
const HEIGHT = 46;
const ACROSS = 76;
const DOWN = 14;
const MARGIN = 14;
/** Room at both sides and below for edges that lead backwards, and the distance between two of them. */
const SIDE = 42;
const BELOW = 16;
const APART = 12;
/** Characters that fit into a box: of its name, and of the smaller line below that. */
const FITS = 20;
const BELOW_FITS = 22;

export default {
  id: "waits",
  title: "Waits",
  key: "w",
  mount(root, model) {
    let graph = null;
    let drawn = "";
    let chosen = null;

    const failed = h("div", {});
    const rings = h("div", { class: "finding-list" });
    const picture = h("div", { class: "graph", tabindex: "0", role: "group", "aria-label": "The graph; the table below says the same" });
    const detail = h("div", { "aria-live": "polite" });
    const summary = h("p", { class: "quiet" });
    const table = new Table({
      label: "Who waits for whom",
      key: (row) => row.id,
      empty: "Nobody waits for anybody.",
      search: (row) => `${row.label} ${row.kind} ${where(row.place)} ${row.circle ? "deadlock" : ""}`,
      sort: { id: "waiters", descending: true },
      columns: [
        { id: "label", title: "Who", value: (row) => row.label, width: "minmax(7.5rem, 1.4fr)" },
        { id: "kind", title: "What", value: (row) => row.kind, width: "6rem", wide: true },
        { id: "waits", title: "Waits for, or is held by", value: (row) => row.next, text: (row) => text(row.next), width: "minmax(7.5rem, 1.6fr)" },
        figures("waiters", "Waiters", number, { width: "6rem", wide: true }),
        { id: "seconds", title: "For", align: "end", value: (row) => row.seconds ?? -1, text: (row) => seconds(row.seconds), width: "5.5rem" },
        { id: "place", title: "At", value: (row) => where(row.place), text: (row) => where(row.place), width: "minmax(8rem, 1fr)", wide: true },
        { id: "circle", title: "Circle", value: (row) => (row.circle ? "yes" : ""), text: (row) => (row.circle ? "deadlock" : ""), width: "6rem", wide: true },
      ],
      open: (row) => choose(row.id),
    });
    root.append(failed, rings, summary, picture, detail, h("section", { class: "section" }, table.element));

    const polling = new Polling(
      model,
      async () => {
        try {
          const answer = await model.ask("waits", { limit: LIMIT });
          if (polling.ended) return;
          fill(failed);
          show(answer);
        } catch (error) {
          if (!polling.ended) fill(failed, problem(error));
        }
      },
      2500,
    );

    function show(answer) {
      graph = answer;
      const names = new Map(answer.nodes.map((each) => [each.id, each]));
      const circle = new Set(answer.circles.flat());
      const next = new Map();
      for (const edge of answer.edges) {
        const said = `${edge.label === "is held by" ? "held by " : ""}${names.get(edge.to)?.label ?? UNKNOWN}`;
        next.set(edge.from, next.has(edge.from) ? `${next.get(edge.from)}, ${said}` : said);
      }
      const rows = answer.nodes.map((each) => ({ ...each, next: next.get(each.id) ?? each.words, circle: circle.has(each.id) }));
      const said = [`${count(answer.tasks, "task")}${answer.alone ? `, of which ${number(answer.alone)} wait${answer.alone === 1 ? "s" : ""} for nobody else` : ""}`];
      if (answer.left_out) said.push(`${count(answer.left_out, "further node")} that fewest wait for ${answer.left_out === 1 ? "is" : "are"} left out`);
      if (answer.unseen) said.push(`${count(answer.unseen, "task")} could not be looked at in time`);
      const key = answer.edges.length ? " Solid lines lead to what somebody waits for, dashed ones to who holds it." : "";
      fill(summary, `${said.join("; ")}.`, h("span", { class: "graph-key" }, key));
      table.show(rows, answer.left_out ? { total: answer.nodes.length + answer.left_out } : {});
      const picturing = JSON.stringify([answer.nodes.map((each) => [each.id, each.label, each.waiters]), answer.edges, answer.circles]);
      if (picturing === drawn) return;
      drawn = picturing;
      fill(rings, answer.circles.map((each) => ringCard(each, names)));
      drawGraph(answer, circle);
      if (chosen && names.has(chosen)) choose(chosen);
      else fill(detail);
    }

    function ringCard(ring, names) {
      const steps = ring.map((id, index) => {
        const node = names.get(id);
        const following = ring[(index + 1) % ring.length];
        const edge = graph.edges.find((each) => each.from === id && each.to === following);
        const place = edge?.place ?? (edge?.label === "is held by" ? null : node?.place);
        return h("li", {}, h("b", {}, node?.label ?? UNKNOWN), ` ${edge?.label ?? "leads to"} `, h("b", {}, names.get(following)?.label ?? UNKNOWN), place ? placeOf(place) : null);
      });
      return h(
        "article",
        { class: "finding prominent ring", data: { severity: "error" } },
        h("div", { class: "meta" }, h("span", { class: "severity", data: { severity: "error" } }, "deadlock")),
        h("h2", { class: "summary" }, ring.length === 1 ? "One waits for itself: it will never go on" : "They wait for each other in a circle: none of them will ever go on"),
        h("ol", { class: "ring-steps" }, steps),
      );
    }

    function drawGraph({ nodes, edges }, circle) {
      picture.hidden = nodes.length === 0;
      const { columns, back } = layered(nodes, edges);
      const tallest = Math.max(0, ...columns.map((each) => each.length));
      const side = back.size ? SIDE : MARGIN;
      const width = side * 2 + columns.length * WIDTH + Math.max(0, columns.length - 1) * ACROSS;
      const bottom = MARGIN * 2 + tallest * HEIGHT + Math.max(0, tallest - 1) * DOWN;
      const lows = new Map([...back].map((edge, index) => [edge, bottom + BELOW + index * APART]));
      const height = bottom + (back.size ? BELOW + back.size * APART : 0);
      const at = new Map();
      columns.forEach((column, x) => {
        const free = (tallest - column.length) * (HEIGHT + DOWN);
        column.forEach((id, y) => at.set(id, [side + x * (WIDTH + ACROSS), MARGIN + free / 2 + y * (HEIGHT + DOWN)]));
      });
      const inRing = (edge) => circle.has(edge.from) && circle.has(edge.to) && graph.circles.some((ring) => ring[(ring.indexOf(edge.from) + 1) % ring.length] === edge.to && ring.includes(edge.from));
      fill(
        picture,
        s(
          "svg",
          { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${count(nodes.length, "node")} and ${count(edges.length, "edge")}; ${count(graph.circles.length, "deadlock")}` },
          s(
            "defs",
            {},
            ["plain", "bad"].map((kind) =>
              s("marker", { id: `arrow-${kind}`, class: `arrow ${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: kind === "bad" ? 11 : 9, markerHeight: kind === "bad" ? 11 : 9, markerUnits: "userSpaceOnUse", orient: "auto" }, s("path", { d: "M0 0 8 4 0 8z" })),
            ),
          ),
          edges.filter((edge) => at.has(edge.from) && at.has(edge.to)).map((edge) => line(edge, at, lows.get(edge), inRing(edge))),
          nodes.map((node) => box(node, at.get(node.id), circle.has(node.id))),
        ),
      );
    }

    /** Draws an edge; `low`: where it runs, if it leads backwards. */
    function line(edge, at, low, bad) {
      const [x1, y1] = at.get(edge.from);
      const [x2, y2] = at.get(edge.to);
      const [sx, sy, ex, ey] = [x1 + WIDTH, y1 + HEIGHT / 2, x2, y2 + HEIGHT / 2];
      const backwards = low !== undefined;
      const d = backwards
        ? `M${sx} ${sy} C${sx + 46} ${sy} ${sx + 46} ${low} ${sx - 10} ${low} L${ex + 10} ${low} C${ex - 46} ${low} ${ex - 46} ${ey} ${ex - 2} ${ey}`
        : `M${sx} ${sy} C${sx + ACROSS / 2} ${sy} ${ex - ACROSS / 2} ${ey} ${ex - 2} ${ey}`;
      return s(
        "g",
        { class: `edge${bad ? " bad" : ""}${edge.label === "is held by" ? " held" : ""}` },
        s("path", { d, "marker-end": `url(#arrow-${bad ? "bad" : "plain"})` }),
        bad || edge.label === "is held by" ? s("text", { x: (sx + ex) / 2, y: backwards ? low - 5 : (sy + ey) / 2 - 5, "text-anchor": "middle" }, edge.label === "is held by" ? "held by" : edge.label) : null,
      );
    }

    function box(node, [x, y], bad) {
      const known = [node.waiters > 1 ? `${number(node.waiters)} waiters` : "", node.place ? where(node.place) : ""].filter(Boolean).join(" · ");
      const whole = [node.kind === node.label ? "" : node.kind, known].filter(Boolean).join(" · ");
      // Its colour and form tell the kind as well.
      const more = known && whole.length > BELOW_FITS ? known : whole;
      return s(
        "g",
        { class: `node${bad ? " bad" : ""}`, data: { id: node.id, kind: node.kind }, onclick: () => choose(node.id) },
        s("title", {}, `${node.label}${node.words ? `, waits for ${node.words}` : ""}`),
        s("rect", { x, y, width: WIDTH, height: HEIGHT, rx: node.kind === "task" || node.kind === "request" ? 6 : HEIGHT / 2 }),
        s("text", { x: x + 14, y: y + 19, class: "name" }, brief(node.label)),
        s("text", { x: x + 14, y: y + 36, class: "more" }, brief(more, BELOW_FITS)),
      );
    }

    function choose(id) {
      chosen = id;
      const node = graph.nodes.find((each) => each.id === id);
      for (const each of picture.querySelectorAll(".node")) setAttribute(each, "data-chosen", each.dataset.id === id ? "yes" : null);
      fill(
        detail,
        h(
          "div",
          { class: "card chosen" },
          h("h2", {}, node.label),
          facts([
            ["What", node.kind],
            ["Waits for", node.words],
            ["Since", node.seconds === null ? "" : seconds(node.seconds)],
            ["Waiters", number(node.waiters)],
            ["On behalf of", subjectText(node.subject)],
            ["At", node.place ? placeOf(node.place) : null],
          ]),
        ),
      );
    }

    return {
      unmount() {
        polling.end();
        table.close();
      },
    };
  },
};

const brief = (label, most = FITS) => (label.length > most ? `${label.slice(0, most - 1)}…` : label);
