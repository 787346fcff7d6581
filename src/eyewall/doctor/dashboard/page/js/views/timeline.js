// One request as segments of time: what it ran for, and each await that it went through. A process records requests only
// while somebody asks for them, so that those that began before are known in part.

import { fill, h, setText } from "../dom.js";
import { clock, count, number, seconds, share, UNKNOWN, where } from "../format.js";
import { facts, legend, PHASES, pill, placeOf, problem } from "../pieces.js";
import { Polling } from "../polling.js";
import { figures, Table } from "../table.js";

const LIMIT = 100;
/** The least share of the whole that is drawn, so that it can be seen. */
const LEAST = 0.002;

export default {
  id: "timeline",
  title: "Timeline",
  key: "t",
  mount(root, model) {
    const { route = "" } = model.router?.parameters ?? {};
    let chosen = model.router?.parameters?.request ?? null;
    let known = null;
    let drawn = "";

    const failed = h("div", {});
    const requests = new Table({
      label: "Requests",
      key: (row) => row.id,
      empty: "No request yet. Those that come from now on are recorded.",
      height: "21rem",
      search: (row) => `${row.method} ${row.path} ${row.route} ${row.handler} ${row.status ?? "live"} ${row.request_id ?? ""}`,
      columns: [
        { id: "request", title: "Request", value: (row) => `${row.method} ${row.path}`, width: "minmax(9rem, 2fr)" },
        { id: "state", title: "State", value: stateText, render: (cell, row) => fill(cell, state(row)), width: "5.8rem" },
        figures("took", "Took", seconds, { width: "5.6rem", value: (row) => row.seconds }),
        { id: "most", title: "Mostly", value: mostly, width: "9.5rem", wide: true },
        { id: "handler", title: "Handler", value: (row) => row.handler, width: "minmax(7rem, 1fr)", wide: true },
        figures("started", "Began", clock, { width: "6.5rem", wide: true }),
      ],
      open: (row) => choose(row),
    });
    const detail = h("section", { class: "section timeline", "aria-label": "One request" });
    const steps = new Table({
      label: "What it went through",
      key: (row) => row.index,
      filter: false,
      empty: "Nothing is known of it.",
      height: "24rem",
      columns: [
        figures("start", "After", seconds, { width: "5.5rem", wide: true }),
        { id: "phase", title: "Phase", value: (row) => row.phase, render: (cell, row) => fill(cell, h("span", { class: "phase", data: { phase: row.phase } }, row.phase)), width: "7rem" },
        figures("took", "Took", seconds, { width: "5.5rem", value: (row) => row.seconds }),
        { id: "words", title: "Waited for", value: (row) => row.words, text: (row) => row.words || (row.phase === "waiting" ? UNKNOWN : ""), width: "minmax(8rem, 1fr)" },
        { id: "place", title: "At", value: (row) => where(row.place), text: (row) => (row.place ? where(row.place) : ""), width: "minmax(8rem, 1fr)", wide: true },
        { id: "source", title: "Source", value: (row) => row.source, text: (row) => row.source, width: "minmax(9rem, 1.6fr)", wide: true },
      ],
      open: (row) => spot(row.index),
    });
    const title = h("h2", {});
    const told = h("div", {});
    const bar = h("div", { class: "strip", role: "img" });
    const axis = h("div", { class: "axis", "aria-hidden": "true" });
    const noted = h("p", { class: "note" });
    const at = h("div", { class: "spotted", "aria-live": "polite" });
    root.append(
      failed,
      h("section", { class: "section" }, route ? h("p", { class: "quiet" }, "Only of the route ", h("code", {}, route)) : null, requests.element),
      detail,
    );

    const polling = new Polling(
      model,
      async () => {
        try {
          const answer = await model.ask("timelines", { limit: LIMIT, route: route || null });
          if (polling.ended) return;
          fill(failed);
          show(answer);
        } catch (error) {
          if (!polling.ended) fill(failed, problem(error));
        }
      },
      1500,
    );

    function show(answer) {
      const said = [];
      if (!answer.counted) said.push("This process serves nothing with an application of Eyewall’s, or its doctor counts no requests.");
      if (answer.left_out) said.push(`${count(answer.left_out, "request")} were not recorded: too many, or begun before anybody looked.`);
      if (answer.beyond) said.push(`${count(answer.beyond, "further one")} ${answer.beyond === 1 ? "is" : "are"} not shown.`);
      requests.show(answer.requests, { note: said.join(" ") });
      const now = answer.requests.find((each) => each.id === chosen);
      if (now) draw(now);
      else if (known && chosen === known.id) setText(noted, notes(known, "The process does not keep it any more: this is how it was."));
      else if (chosen === null && answer.requests.length) choose(slowest(answer.requests), false);
    }

    function choose(row, byHand = true) {
      chosen = row.id;
      model.router?.note({ request: row.id });
      fill(at);
      draw(row);
      if (byHand) detail.scrollIntoView({ block: "nearest" });
    }

    function draw(row) {
      known = row;
      const text = JSON.stringify(row);
      if (text === drawn) return;
      drawn = text;
      if (!detail.firstChild) {
        detail.append(
          h("div", { class: "section-head" }, title),
          told,
          h("div", { class: "card" }, legend(), h("div", { class: "strip-place" }, bar, axis), noted, at),
          steps.element,
        );
      }
      setText(title, `${row.method} ${row.path}`);
      fill(
        told,
        facts([
          ["Response", row.live ? "none yet" : String(row.status)],
          ["Took", `${seconds(row.seconds)}${row.live ? " so far" : ""}`],
          ["Route", row.route],
          ["Handler", row.handler],
          ["Began", clock(row.started)],
          ["Request id", row.request_id],
        ]),
      );
      drawStrip(row);
      setText(noted, notes(row));
      steps.show(row.segments.map((each, index) => ({ ...each, index })));
    }

    function drawStrip(row) {
      const whole = Math.max(row.seconds, 1e-9);
      fill(
        bar,
        row.segments.map((each, index) =>
          h("span", {
            data: { phase: each.phase, index },
            title: sentence(each),
            style: { "--left": `${((100 * each.start) / whole).toFixed(3)}%`, "--part": `${(100 * Math.max(LEAST, each.seconds / whole)).toFixed(3)}%` },
            onclick: () => spot(index),
          }),
        ),
      );
      bar.setAttribute("aria-label", summary(row));
      fill(axis, [0, 0.25, 0.5, 0.75, 1].map((part) => h("span", { style: { "--left": `${100 * part}%` } }, seconds(part * row.seconds))));
    }

    function spot(index) {
      const each = known.segments[index];
      for (const span of bar.children) span.classList.toggle("spot", span.dataset.index === String(index));
      fill(at, h("p", {}, sentence(each)), each.place ? placeOf({ ...each.place, source: each.source || each.place.source }) : null);
    }

    return {
      unmount() {
        polling.end();
        requests.close();
        steps.close();
      },
    };
  },
};

const state = (row) => (row.live ? pill("live", "good") : pill(String(row.status), row.status >= 500 ? "bad" : row.status >= 400 ? "warm" : "calm"));
const stateText = (row) => (row.live ? "live" : String(row.status));
const slowest = (rows) => rows.reduce((best, each) => (each.seconds > best.seconds ? each : best));

/** The seconds of each phase. */
export function phases(row) {
  const found = {};
  for (const each of row.segments) found[each.phase] = (found[each.phase] ?? 0) + each.seconds;
  return found;
}

function mostly(row) {
  const [most] = Object.entries(phases(row)).sort(([, one], [, other]) => other - one);
  return most && row.seconds > 0 ? `${most[0]} ${share(Math.min(1, most[1] / row.seconds))}` : UNKNOWN;
}

function sentence(each) {
  const lasted = `${seconds(each.seconds)} after ${seconds(each.start)}`;
  if (each.phase === "waiting") return `Waited ${lasted}${each.words ? ` for ${each.words}` : ""}${each.place ? ` at ${where(each.place)}` : ""}`;
  return `${each.phase[0].toUpperCase()}${each.phase.slice(1)} ${lasted}: ${PHASES[each.phase]}`;
}

function summary(row) {
  const found = phases(row);
  const parts = Object.keys(PHASES).filter((phase) => found[phase]).map((phase) => `${phase} ${seconds(found[phase])}`);
  return `${seconds(row.seconds)} in ${count(row.segments.length, "segment")}: ${parts.join(", ")}. The table below has each.`;
}

function notes(row, more = "") {
  const said = [];
  if (!row.recorded) said.push("It began before anybody looked: what is hatched is not known.");
  if (row.left_out) said.push(`${number(row.left_out)} segments in the middle are not kept: they are hatched.`);
  if (more) said.push(more);
  return said.join(" ");
}
