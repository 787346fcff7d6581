// What several views are made of: places in source code, findings, bars, facts, and how something is ended.

import { confirm, sheet, toast } from "./confirm.js";
import { fill, h, setAttribute, setText } from "./dom.js";
import { ago, clock, number, seconds, share, size, UNKNOWN } from "./format.js";

// -- places -------------------------------------------------------------------------------------------------

/** Where a place is, in a line: folder, file and line, function. */
export function at(place) {
  const file = String(place.file);
  const cut = file.lastIndexOf("/") + 1;
  return h(
    "span",
    { class: "at", title: brief(file) },
    h("span", { class: "folder" }, brief(file.slice(0, cut))),
    h("span", { class: "spot" }, brief(`${file.slice(cut)}:${place.line}`)),
    place.function ? h("span", { class: "in" }, ` in ${brief(place.function)}`) : null,
  );
}

/** A place with its line of source. */
export function placeOf(place) {
  return h(
    "div",
    { class: "place" },
    at(place),
    place.source ? h("code", { class: "source" }, brief(place.source)) : null,
  );
}

/** Places from the outermost to the innermost. */
export function trace(places, label) {
  return h(
    "ol",
    { class: "trace", "aria-label": label },
    places.map((each) => h("li", {}, placeOf(each))),
  );
}

const LONGEST = 2000;
const brief = (text) => (String(text).length > LONGEST ? `${String(text).slice(0, LONGEST)}…` : String(text));

// -- findings -----------------------------------------------------------------------------------------------

const SEVERITIES = ["error", "warning", "notice"];

/** How bad a finding is: the worst is 0. */
export const rank = (finding) => SEVERITIES.indexOf(finding.severity);

const seen = (finding) => Date.parse(finding.last_seen) / 1000 || 0;

/** What tells a finding from others. */
export const keyOf = (finding) =>
  `${finding.pid} ${finding.rule} ${finding.place ? `${finding.place.file}:${finding.place.line}` : finding.summary}`;

/** The worst first, and of these the one that was seen last. */
export const worstFirst = (findings) =>
  [...findings].sort((one, other) => rank(one) - rank(other) || seen(other) - seen(one));

/**
 * What somebody who has just come must see, first: what was seen last, and of what was seen at about the same time the
 * worst. Notices come after all others.
 */
export function newestFirst(findings) {
  const newest = Math.max(0, ...findings.filter((each) => each.severity !== "notice").map(seen));
  const group = (each) => (each.severity === "notice" ? 2 : newest - seen(each) < 10 ? 0 : 1);
  return [...findings].sort(
    (one, other) =>
      group(one) - group(other) ||
      (group(one) === 0
        ? rank(one) - rank(other) || Date.parse(other.first_seen) - Date.parse(one.first_seen)
        : seen(other) - seen(one)),
  );
}

export const severity = (finding) =>
  h("span", { class: "severity", data: { severity: finding.severity } }, finding.severity);

/** On whose behalf it ran. */
export function subjectText(subject) {
  if (!subject) return "";
  if (subject.path !== undefined)
    return `${subject.method ?? ""} ${subject.path}${subject.handler ? ` (${subject.handler})` : ""}`.trim();
  return subject.task ? `task ${subject.task}` : "";
}

/** What a finding rests on, in short: how long, how often. */
function measured(finding) {
  const { wall, cpu, error, counts = {} } = finding.evidence ?? {};
  const found = [];
  if (typeof wall === "number")
    found.push(`took ${seconds(wall)}${typeof cpu === "number" ? `, ${seconds(cpu)} of it on the CPU` : ""}`);
  if (error) found.push(brief(error));
  for (const [name, value] of Object.entries(counts)) found.push(`${name}: ${number(value)}`);
  return found;
}

/**
 * A finding as a card. `prominent`: as the first thing that is seen; `title`: of which process it is. What is returned has
 * `bring(now, finding)`, which brings it up to date and leaves open what somebody has opened.
 */
export function findingCard(finding, { prominent = false, title = null } = {}) {
  const card = h("article", { class: `finding${prominent ? " prominent" : ""}` });
  card.bring = (now, known) => {
    const { last_seen: last, first_seen: first, count: many, ...lasting } = known;
    const drawn = JSON.stringify(lasting);
    if (card.drawn !== drawn) {
      card.drawn = drawn;
      drawFinding(card, known, title);
    }
    setText(card.times, many > 1 ? `${number(many)} times` : "once");
    setText(card.ago, `${ago(last, now)}${many > 1 ? `, first at ${clock(first)}` : ""}`);
    setAttribute(card.ago, "title", `first ${first}, last ${last}`);
  };
  card.bring(Date.now() / 1000, finding);
  return card;
}

function drawFinding(card, finding, title) {
  const details = card.querySelector("details");
  const focused = details?.contains(document.activeElement);
  const stacks = Object.entries(finding.evidence?.stacks ?? {}).filter(([, places]) => places.length);
  const subject = subjectText(finding.subject);
  Object.assign(card.dataset, { severity: finding.severity, rule: finding.rule });
  card.ago = h("span", {});
  card.times = h("span", {});
  fill(
    card,
    h(
      "div",
      { class: "meta" },
      severity(finding),
      h("span", { class: "rule" }, finding.rule),
      card.times,
      card.ago,
      title ? h("span", {}, title) : null,
    ),
    h("h2", { class: "summary" }, brief(finding.summary)),
    finding.place ? placeOf(finding.place) : null,
    h(
      "ul",
      { class: "known" },
      subject ? h("li", {}, "in ", h("bdi", {}, brief(subject))) : null,
      measured(finding).map((each) => h("li", {}, each)),
    ),
    h("p", { class: "advice" }, h("b", {}, "What to do:"), brief(finding.advice)),
    stacks.length
      ? h(
          "details",
          { open: details?.open ?? false },
          h("summary", {}, stacks.length === 1 ? stacks[0][0] : `${stacks.length} stacks`),
          h(
            "div",
            { class: "evidence" },
            stacks.map(([name, places]) => h("div", {}, h("h3", {}, name), trace(places, name))),
          ),
        )
      : null,
  );
  if (focused) card.querySelector("summary")?.focus();
}

// -- bars ---------------------------------------------------------------------------------------------------

/** What the time of a request is split into, in this order, and what each is. */
export const PHASES = {
  queued: "for a place at a limit",
  receiving: "for content to come",
  running: "in the loop, in short steps",
  blocking: "in long steps, which hold up everything else",
  waiting: "for what a handler awaits",
};

export function legend() {
  return h(
    "ul",
    { class: "legend" },
    Object.entries(PHASES).map(([phase, what]) => h("li", { data: { phase }, title: what }, phase)),
  );
}

/** Draws the parts of a whole as a bar into `element`, which is filled at the first time. */
export function drawStack(element, parts, whole) {
  if (!element.bars) {
    element.bars = Object.keys(PHASES).map((phase) => h("span", { data: { phase } }));
    element.stack = h("div", { class: "stack", role: "img" }, element.bars);
    element.replaceChildren(element.stack);
  }
  const said = [];
  Object.keys(PHASES).forEach((phase, index) => {
    const part = whole > 0 ? Math.max(0, parts[phase] ?? 0) / whole : 0;
    element.bars[index].style.setProperty("--part", `${(part * 100).toFixed(2)}%`);
    element.bars[index].hidden = part < 0.0005;
    if (part >= 0.0005) said.push(`${phase} ${share(part)}`);
  });
  setAttribute(element.stack, "aria-label", said.join(", ") || UNKNOWN);
  setAttribute(element.stack, "title", said.join(", "));
}

/** A bar of how much of something is taken. `kind` by itself: warm from 70 %, bad from 95 %. */
export function meter(label, part, whole) {
  const element = h(
    "span",
    { class: "meter", role: "meter", "aria-label": label, "aria-valuemin": "0" },
    h("span", {}),
  );
  drawMeter(element, part, whole);
  return element;
}

export function drawMeter(element, part, whole) {
  const filled = whole > 0 ? Math.min(1, part / whole) : 0;
  element.firstChild.style.setProperty("--part", `${filled * 100}%`);
  setAttribute(element, "aria-valuemax", whole);
  setAttribute(element, "aria-valuenow", Math.min(part, whole));
  setAttribute(element, "aria-valuetext", `${number(part)} of ${number(whole)}`);
  setAttribute(element, "data-kind", filled >= 0.95 ? "bad" : filled >= 0.7 ? "warm" : "good");
}

export const pill = (text, kind = "calm") => h("span", { class: "pill", data: { kind } }, text);

/** Pairs of a name and what is known: texts or elements; what is null is left out. */
export function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value instanceof Node ? value : brief(value))]),
  );
}

export function section(title, ...content) {
  return h("section", { class: "section" }, h("div", { class: "section-head" }, h("h2", {}, title)), ...content);
}

/** Why something can't be shown, in the place of it. */
export function problem(error) {
  return h("p", { class: "banner bad", role: "status" }, error.message);
}

// -- ending something ---------------------------------------------------------------------------------------

/** Asks for a confirmation, tells the process, and says how it went. Returns whether it was done. */
export async function end(model, { title, text, details, action, command, args, done }) {
  if (!(await confirm({ title, text, details, action }))) return false;
  try {
    await model.act(command, args);
  } catch (error) {
    toast(error.message, "bad");
    return false;
  }
  toast(done);
  return true;
}

/** Cancels a task, as the answer of `stacks` tells of it. */
export function cancelTask(model, task, pid) {
  return end(model, {
    title: `Cancel ${task.name}?`,
    text: "It gets a CancelledError at the await where it stands. Whoever waits for it gets one as well.",
    details: [
      facts([
        ["Coroutine", task.coroutine],
        ["Stands at", task.place ? placeOf(task.place) : null],
        ["On behalf of", subjectText(task.subject)],
        ["Process", String(pid)],
      ]),
    ],
    action: "Cancel the task",
    command: "cancel-task",
    args: { pid, task: task.id, name: task.name },
    done: `Cancelled ${task.name}.`,
  });
}

const KINDS = {
  connection: "connection",
  request: "request",
  websocket: "WebSocket",
  event_stream: "event stream",
  client_connection: "connection of a client",
};

export const kindText = (kind) => KINDS[kind] ?? String(kind ?? "").replaceAll("_", " ");

/** Closes what is open: a connection, request, WebSocket, event stream. */
export function closeEntry(model, entry, pid) {
  const kind = kindText(entry.kind);
  return end(model, {
    title: `Close this ${kind}?`,
    text:
      entry.kind === "request"
        ? "The request is ended; whoever made it gets no answer, or the end of one."
        : `The ${kind} is closed in order, from this side.`,
    details: [
      facts([
        ["What", entry.label],
        ["Peer", entry.peer],
        ["Route", entry.route],
        ["Open for", seconds(entry.age)],
        ["Process", String(pid)],
      ]),
    ],
    action: `Close the ${kind}`,
    command: "close-connection",
    args: { pid, connection: entry.id, peer: entry.peer ?? "" },
    done: `Closed the ${kind}${entry.peer ? ` of ${entry.peer}` : ""}.`,
  });
}

/** Tells all of what is open, and lets it be closed. */
export function openEntry(model, entry, title) {
  const element = sheet({
    title,
    content: [
      entry.place ? placeOf(entry.place) : null,
      facts([
        ["What", entry.label === title ? null : entry.label],
        ["Waits for", entry.waits_for],
        ["Route", entry.route],
        ["Peer", entry.peer],
        ["Open for", seconds(entry.age)],
        ["Idle for", seconds(entry.idle)],
        ["Received", size(entry.bytes_in)],
        ["Sent", size(entry.bytes_out)],
        ["Process", String(entry.pid)],
      ]),
    ],
    buttons: [
      h(
        "button",
        {
          type: "button",
          class: "danger",
          onclick: async () => (await closeEntry(model, entry, entry.pid)) && element.close(),
        },
        `Close the ${kindText(entry.kind)}…`,
      ),
    ],
  });
}
