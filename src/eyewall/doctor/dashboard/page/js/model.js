// What the page knows of the processes, and how it asks for more.
//
// One stream of server-sent events tells of one process, or of "all" of a group; the server asks processes only while
// such a stream is open. It is closed while the page is paused or nobody can see it.
//
// A listener is told which of these has changed:
//   "processes"   .processes: [{ pid, title, program, group, alive }]
//   "state"       .state: the answer of the command `state`; .time: when, in seconds since the epoch; .before and
//                 .timeBefore: the ones before that; .missing: texts, why something in it is not known
//   "history"     .history: [[time, lag_s, busy_share, requests_per_second, memory_bytes], …], the last ten minutes; of
//                 each second the longest lag
//   "findings"    .findings: [a finding as JSON, with its `pid`, …]
//   "connection"  .connection: "waiting", "open" or "lost"; .since: when that began; .paused; .refused: the token is not taken
//   "trouble"     .trouble: Map of pid to { pid, code, message, time }
//   "selection"   .process: a pid, or "all"; .pid: the one that single questions are put to

const KEPT = 600;
/** Seconds after a point in which the next one is due: what is of all processes is told when all have told theirs. */
const DUE = 1.8;
const DUE_OF_ALL = 5;

/** What the server or a process has refused, with a `code` and a message for people. */
export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `The server answered ${status}.`);
    this.name = "Refused";
    this.status = status;
    this.code = error?.code ?? "";
  }
}

export class Model {
  #listeners = new Set();
  #source = null;
  #former = null;
  #hidden = false;
  #focus = null;
  #chosen = false;
  #failure = null;

  constructor({ token = "", root = "./" } = {}) {
    this.token = token;
    this.root = root;
    this.processes = [];
    this.process = "all";
    this.connection = "waiting";
    this.since = Date.now() / 1000;
    this.paused = false;
    this.refused = false;
    this.#forget();
  }

  #forget() {
    this.state = null;
    this.before = null;
    this.time = 0;
    this.timeBefore = 0;
    this.missing = [];
    this.history = [];
    this.findings = [];
    this.findingsKnown = false;
    this.trouble = new Map();
  }

  // -- listeners --------------------------------------------------------------------------------------------

  /** Calls `listener(what)` after each change; returns a function that ends it. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(what) {
    for (const each of [...this.#listeners]) each(what);
  }

  // -- selection --------------------------------------------------------------------------------------------

  /** The process that single questions are put to: the selected one, or of "all" the one chosen by `focus`. */
  get pid() {
    if (this.process !== "all") return this.process;
    const living = this.processes.filter((each) => each.alive);
    return (living.find((each) => each.pid === this.#focus) ?? living[0] ?? this.processes[0])?.pid ?? null;
  }

  /** Shows another process: its pid, or "all". */
  select(process, chosen = true) {
    this.#chosen = this.#chosen || chosen;
    if (process === this.process) return;
    this.process = process;
    this.#forget();
    this.#tell("selection");
    if (this.#source) this.#open();
  }

  /** While "all" are shown: puts single questions to this one. */
  focus(pid) {
    this.#focus = pid;
    this.#tell("selection");
  }

  /** The title of a process, as the selector shows it. */
  title(pid) {
    return this.processes.find((each) => each.pid === pid)?.title || `process ${pid}`;
  }

  // -- the stream -------------------------------------------------------------------------------------------

  start() {
    this.#open();
  }

  pause(paused) {
    if (paused === this.paused) return;
    this.paused = paused;
    this.#turn();
    this.#tell("connection");
  }

  /** While nobody can see the page, nobody is asked. */
  hide(hidden) {
    if (hidden === this.#hidden) return;
    this.#hidden = hidden;
    this.#turn();
  }

  /** Opens or closes the stream. */
  #turn() {
    if (this.paused || this.#hidden) this.#close();
    else this.#open();
  }

  #close() {
    clearTimeout(this.#failure);
    this.#source?.close();
    this.#former?.close();
    this.#source = this.#former = null;
  }

  #open() {
    // The one before is closed once this one is open: the server forgets what it knows when nobody looks.
    const former = this.#source;
    this.#source = null;
    this.#close();
    this.#former = former;
    this.#connection("waiting");
    const source = new EventSource(`${this.root}events?process=${encodeURIComponent(this.process)}`);
    this.#source = source;
    source.addEventListener("open", () => {
      former?.close();
      if (this.#source === source) this.#connection("open");
    });
    source.addEventListener("error", () => {
      former?.close();
      if (this.#source !== source) return;
      this.#connection("lost");
      // A browser tries again by itself, but for an answer that is no stream.
      if (source.readyState === EventSource.CLOSED) this.#retry();
    });
    const on = (name, take) =>
      source.addEventListener(name, (event) => {
        if (this.#source === source) take(JSON.parse(event.data));
      });
    on("processes", (data) => this.#takeProcesses(data));
    on("state", (data) => this.#takeState(data));
    on("history", (data) => this.#takeHistory(data));
    on("findings", (data) => this.#takeFindings(data));
    on("trouble", (data) => this.#takeTrouble(data));
  }

  /** Tries again what was refused, and finds out whether that is for want of the token. */
  async #retry() {
    this.#failure = setTimeout(() => this.#open(), 2000);
    try {
      const { status } = await fetch(this.root, { credentials: "same-origin" });
      this.refused = status === 401 || status === 403;
    } catch {
      this.refused = false;
    }
    this.#tell("connection");
  }

  #connection(state) {
    if (state === "open") this.refused = false;
    if (state === this.connection) return;
    // While it is tried again, it is still lost.
    if (state === "waiting" && this.connection === "lost") return;
    this.connection = state;
    this.since = Date.now() / 1000;
    this.#tell("connection");
  }

  #takeProcesses(data) {
    this.processes = data;
    for (const pid of this.trouble.keys()) {
      if (!data.some((each) => each.pid === pid)) this.trouble.delete(pid);
    }
    this.#tell("processes");
    if (!this.#chosen) this.#follow(data);
  }

  /** Of a single process there is more to say than of "all" of one; and one that has ended may have a successor. */
  #follow(processes) {
    const living = processes.filter((each) => each.alive);
    if (this.process === "all") {
      if (processes.length === 1) this.select(processes[0].pid, false);
    } else if (living.length && !living.some((each) => each.pid === this.process)) {
      this.select(living.length === 1 ? living[0].pid : "all", false);
    }
  }

  #takeState(data) {
    this.before = this.state;
    this.timeBefore = this.time;
    this.state = data.state;
    this.time = data.time;
    this.missing = data.missing ?? [];
    for (const [pid, trouble] of this.trouble) {
      // What was known before comes late.
      if (data.time <= trouble.since) continue;
      if (data.process === pid || (data.process === "all" && !this.missing.includes(trouble.message))) {
        this.trouble.delete(pid);
      }
    }
    this.#remember();
    this.#tell("state");
  }

  /** Adds the new state to the history, until the point comes that the process itself has noted: that has the worst of
   * its second, but none comes while its loop stands still. */
  #remember() {
    const loops = this.state.process?.loops ?? this.state.loops ?? [];
    const lag = loops.length ? Math.max(...loops.map((each) => each.lag ?? 0)) : null;
    const busy = loops.some((each) => typeof each.busy === "number")
      ? Math.max(...loops.map((each) => each.busy ?? 0))
      : null;
    const last = this.history.at(-1);
    // The next one that is noted is on its way.
    if (last && this.time < last[0] + (last.noted ? (this.process === "all" ? DUE_OF_ALL : DUE) : 0)) return;
    this.history.push([this.time, lag, busy, this.requestsPerSecond, this.state.memory ?? null]);
    if (this.history.length > KEPT) this.history.splice(0, this.history.length - KEPT);
  }

  /** Requests that have ended per second, since the state before; null where nothing is counted. */
  get requestsPerSecond() {
    const passed = this.time - this.timeBefore;
    if (!this.before || !(passed > 0)) return null;
    const total = (state) => (state.routes ?? []).reduce((sum, each) => sum + each.count, 0);
    return Math.max(0, total(this.state) - total(this.before)) / passed;
  }

  /** Takes points that were noted: all at first, then those that have come. */
  #takeHistory({ points }) {
    if (points.length) {
      const [first] = points[0];
      const [last] = points.at(-1);
      const noted = new Map(this.history.filter((each) => each.noted).map((each) => [each[0], each]));
      for (const point of points) noted.set(point[0], Object.assign(point, { noted: true }));
      // What was seen from here stays where nothing was noted.
      const seen = this.history.filter((each) => !each.noted && (each[0] > last || each[0] < first - 1.5));
      this.history = [...noted.values(), ...seen].sort((one, other) => one[0] - other[0]).slice(-KEPT);
    }
    this.#tell("history");
  }

  #takeFindings(data) {
    this.findings = data.findings;
    this.findingsKnown = true;
    this.#tell("findings");
  }

  #takeTrouble(data) {
    this.trouble.set(data.process, { ...data, pid: data.process, time: Date.now() / 1000 });
    this.#tell("trouble");
  }

  // -- questions --------------------------------------------------------------------------------------------

  /** Asks a process, and returns its answer; `args.pid` for another than the selected. Throws Refused, or Error. */
  async ask(command, args = {}) {
    const { pid = this.pid, ...rest } = args;
    const given = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined);
    const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return this.#fetch(`api/${encodeURIComponent(pid)}/${command}${query ? `?${query}` : ""}`, { method: "GET" });
  }

  /** Asks all processes that are shown. Returns [{ pid, answer } or { pid, error }, …]; throws nothing. */
  async askEach(command, args = {}) {
    const pids =
      this.process === "all" ? this.processes.filter((each) => each.alive).map((each) => each.pid) : [this.process];
    return Promise.all(
      pids.map(async (pid) => {
        try {
          return { pid, answer: await this.ask(command, { ...args, pid }) };
        } catch (error) {
          return { pid, error };
        }
      }),
    );
  }

  /** Tells a process to do something, and returns its answer. Whoever calls it has asked for a confirmation. */
  async act(command, args = {}) {
    const { pid = this.pid, ...rest } = args;
    return this.#fetch(`api/${encodeURIComponent(pid)}/${command}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Eyewall-Token": this.token },
      body: JSON.stringify(rest),
    });
  }

  async #fetch(path, options) {
    let response;
    try {
      response = await fetch(this.root + path, { ...options, credentials: "same-origin" });
    } catch {
      throw new Error("The server of the dashboard can’t be reached.");
    }
    const isJSON = response.headers.get("Content-Type")?.startsWith("application/json");
    const answer = isJSON ? await response.json() : null;
    if (!response.ok) throw new Refused(response.status, answer?.error);
    return answer;
  }
}
