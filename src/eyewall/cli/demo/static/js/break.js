// The page 'Break it'. What the doctor finds comes from the dashboard in the frame, whose process goes on while this
// server's loop is blocked; where there is no frame, from the server itself.
import { byId, make, showState } from "./dom.js";
import { ask } from "./http.js";

const PULSE = 500;
const QUIET = 5000;
// Milliseconds after its end in which a finding may still be on its way; the dashboard asks once a second.
const LATE = 2500;
// Milliseconds without an answer from which on the server is said to stand still.
const SLOW = 700;

const allowed = !("refused" in byId("break").dataset);
const faults = new Map();
let chosen = null;
let lastMessage = -Infinity;

for (const article of document.querySelectorAll("[data-code]")) {
  const { code: name, title, rule, lines } = article.dataset;
  const item = document.querySelector(`[data-fault="${name}"]`);
  faults.set(name, {
    name, title, rule, article, item,
    lines: lines.split(" ").map(Number),
    file: `/shop/${name}.py`,
    finding: null,
    // When it was pressed, what was known then, whether it runs, when it ended, after how many seconds it was found.
    pressed: null, before: null, running: false, ended: -Infinity, found: null,
  });
  article.remove();
  article.hidden = false;
}

const frame = byId("dashboard");
const origin = frame && new URL(frame.dataset.src).origin;

/** What the dashboard calls a finding. */
const keyOf = ({ pid, rule, place }) => `${pid} ${rule} ${place.file}:${place.line}`;

// -- one fault ------------------------------------------------------------------------------------------------

function choose(fault) {
  chosen?.item.querySelector(".choose").removeAttribute("aria-current");
  chosen = fault;
  fault.item.querySelector(".choose").setAttribute("aria-current", "true");
  history.replaceState(null, "", `#${fault.name}`);
  byId("told-title").textContent = fault.title;
  byId("acts").hidden = false;
  byId("code").replaceChildren(fault.article);
  const culprit = fault.article.querySelector(".culprit");
  const code = culprit.closest(".code");
  code.scrollTop = culprit.offsetTop - code.clientHeight / 2;
  show(fault);
}

async function press(fault) {
  choose(fault);
  if (fault.running) return;
  Object.assign(fault, { pressed: performance.now(), before: fault.finding, running: true, found: null });
  show(fault);
  if (matchMedia("(max-width: 60rem)").matches) byId("told").scrollIntoView({ block: "start" });
  try {
    await ask("POST", `/api/break/${fault.name}`);
  } catch (error) {
    if (error.status !== 409) {
      fault.running = false;
      fault.pressed = null;
      show(fault);
      byId("says-what").textContent = error.message;
      return;
    }
  }
  beat();
}

async function mend(fault) {
  try {
    await ask("DELETE", `/api/break/${fault.name}`);
  } catch (error) {
    byId("says-what").textContent = error.message;
  }
}

/** Takes what is known of the findings; each of them belongs to one fault at most. */
function take(findings) {
  for (const fault of faults.values()) {
    const [finding] = findings
      .filter(({ rule, place }) => rule === fault.rule && place?.file.endsWith(fault.file) && fault.lines.includes(place.line))
      .sort((one, other) => Date.parse(other.last_seen) - Date.parse(one.last_seen));
    if (!finding || !isNews(finding, fault.finding)) continue;
    fault.finding = finding;
    if (fault.pressed !== null && fault.found === null && isNews(finding, fault.before)) {
      fault.found = (performance.now() - fault.pressed) / 1000;
    }
    show(fault);
  }
}

const isNews = (finding, before) =>
  before === null || ["count", "last_seen"].some((name) => finding[name] !== before[name]) || finding.place.line !== before.place.line;

// -- what is shown --------------------------------------------------------------------------------------------

function stateOf(fault) {
  if (fault.pressed === null) return fault.finding ? "known" : "idle";
  if (fault.found !== null) return "found";
  if (fault.running || performance.now() - fault.ended < LATE) return "running";
  return fault.finding ? "again" : "missed";
}

const WORDS = {
  idle: () => "Press the button, and see which line the doctor names.",
  known: () => "The doctor has found it before:",
  running: () => "It happens now. The doctor looks…",
  found: (fault) => `Found ${fault.found.toFixed(1)} seconds after you pressed.`,
  again: () => "It is over. The doctor has told of this line before, and does not repeat everything:",
  missed: () => "It is over, and the doctor has not spoken up. A busy machine may be the cause: press again.",
};

function show(fault) {
  const state = stateOf(fault);
  fault.item.dataset.state = state;
  fault.item.querySelector(".press").disabled = !allowed || fault.running;
  if (fault !== chosen) return;
  byId("press").disabled = !allowed || fault.running;
  byId("mend").disabled = !fault.running;
  byId("says").dataset.state = state;
  const running = state === "found" && fault.running ? " It still goes on, and mends itself." : "";
  byId("says-what").textContent = WORDS[state](fault) + running;
  const finding = ["found", "known", "again"].includes(state) ? fault.finding : null;
  byId("says-finding").hidden = finding === null;
  fault.article.classList.toggle("named", state === "found");
  if (finding) tell(finding);
}

function tell(finding) {
  const { place, subject, evidence } = finding;
  byId("says-summary").replaceChildren(finding.summary, " ", make("code", { className: "rule" }, finding.rule));
  byId("says-place").replaceChildren(make("b", {}, `${place.file}:${place.line}`), place.function ? ` in ${place.function}` : "");
  const facts = [];
  if (subject?.method) facts.push(["Request", `${subject.method} ${subject.path} (${subject.handler})`]);
  else if (subject?.task) facts.push(["Task", subject.task]);
  else if (subject?.handler) facts.push(["Handler", subject.handler]);
  if (evidence.wall !== null) {
    const cpu = evidence.cpu === null ? "" : `, ${evidence.cpu.toFixed(2)} s of it on the CPU`;
    facts.push(["Took", `${evidence.wall.toFixed(2)} s${cpu}`]);
  }
  if (evidence.error) facts.push(["Error", evidence.error]);
  for (const [name, count] of Object.entries(evidence.counts).slice(0, 4)) facts.push([name, String(count)]);
  if (finding.count > 1) facts.push(["Seen", `${finding.count} times`]);
  byId("says-facts").replaceChildren(
    ...facts.map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", {}, text))),
  );
  byId("says-advice").replaceChildren(make("b", {}, "What to do: "), finding.advice);
  const link = byId("says-link");
  if (link && finding.pid) link.href = `${origin}/#/findings?open=${encodeURIComponent(keyOf(finding))}`;
  if (link) link.hidden = !finding.pid;
}

// -- whether the server answers, and what runs -----------------------------------------------------------------

let asking = false;
let timer = 0;

async function beat() {
  if (asking) return;
  clearTimeout(timer);
  asking = true;
  const began = performance.now();
  const late = setInterval(() => {
    const seconds = (performance.now() - began) / 1000;
    if (seconds * 1000 > SLOW) showState(byId("pulse"), "lost", `No answer from this server for ${seconds.toFixed(1)} s`);
  }, 100);
  try {
    const { running, found } = await ask("GET", "/api/break");
    showState(byId("pulse"), "open", "This server answers");
    if (performance.now() - lastMessage > QUIET) take(Object.values(found));
    for (const fault of faults.values()) {
      const runs = fault.name in running;
      if (runs && !fault.running) Object.assign(fault, { pressed: began, before: fault.finding, found: null });
      // What was pressed since the question is not in the answer.
      if (runs !== fault.running && (runs || fault.pressed < began)) {
        fault.running = runs;
        if (!runs) {
          fault.ended = performance.now();
          setTimeout(() => show(fault), LATE + 50);
        }
        show(fault);
      }
    }
  } catch {
    showState(byId("pulse"), "lost", "This server can’t be reached");
  }
  clearInterval(late);
  asking = false;
  const busy = [...faults.values()].some((fault) => fault.running);
  if (!document.hidden) timer = setTimeout(beat, busy ? PULSE : QUIET);
}

document.addEventListener("visibilitychange", () => document.hidden || beat());

// -- the dashboard ---------------------------------------------------------------------------------------------

if (frame) {
  addEventListener("message", (event) => {
    if (event.origin !== origin || event.data?.eyewall !== "findings") return;
    lastMessage = performance.now();
    take(event.data.findings);
  });
  frame.src = `${frame.dataset.src}#/findings`;
}

// -- the beginning ---------------------------------------------------------------------------------------------

for (const fault of faults.values()) {
  fault.item.querySelector(".choose").addEventListener("click", () => choose(fault));
  fault.item.querySelector(".press").addEventListener("click", () => press(fault));
}
byId("press").addEventListener("click", () => press(chosen));
byId("mend").addEventListener("click", () => mend(chosen));
choose(faults.get(location.hash.slice(1)) ?? faults.values().next().value);
beat();
