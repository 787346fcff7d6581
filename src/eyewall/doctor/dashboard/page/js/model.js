// What the page knows of the processes, and how it asks for more.
//
// One stream of server-sent events tells of one process, or of "all" of a group; the server asks processes only while
// such a stream is open. It is closed while the page is paused or nobody can see it.
//
// A listener is told which of these has changed:
//   "processes"   .processes: [{ pid, title, program, group, alive }]
//   "state"       .state: the answer of the command `state`; .time: when, in seconds since the epoch; .before and
//                 .timeBefore: the ones before that; .missing: texts, why something in it is not known
//   "history"     .history: [[time, lag_s, busy_share, requests_per_second, memory_bytes], …], the last ten minutes
//   "findings"    .findings: [a finding as JSON, with its `pid`, …]
//   "connection"  .connection: "waiting", "open" or "lost"; .since: when that began; .paused; .refused: the token is not taken
//   "trouble"     .trouble: Map of pid to { pid, code, message, time }
//   "selection"   .process: a pid, or "all"; .pid: the one that single questions are put to

const KEPT = 600;

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
  #refining = false;
  #unrefined = null;

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
    this.#unrefined = null;
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
      if (data.process === pid || (data.process === "all" && !this.missing.includes(trouble.message))) {
        this.trouble.delete(pid);
      }
    }
    this.#remember();
    this.#tell("state");
    if (data.process !== "all") this.#refine();
  }

  /** A state has the lag of its moment; the worst since the last one is what the process itself has noted. */
  async #refine() {
    const { process } = this;
    if (this.#refining || this.#unrefined === process) return;
    this.#refining = true;
    try {
      const since = this.history.findLast((point) => point.noted)?.[0] ?? this.time - 5;
      const { points } = await this.ask("history", { since, pid: process });
      if (process !== this.process || !points.length) return;
      for (const point of points) point.noted = true;
      const last = points.at(-1)[0];
      const kept = this.history.filter((point) => point[0] < points[0][0] || point[0] > last);
      this.history = [...kept, ...points].sort((one, other) => one[0] - other[0]).slice(-KEPT);
    } catch {
      // It does not know the command, or its loop is busy: what was seen from here stays.
      this.#unrefined = process;
    } finally {
      this.#refining = false;
    }
  }

  /** Adds the new state to the history, as a process does itself while nobody looks. */
  #remember() {
    const loops = this.state.process?.loops ?? this.state.loops ?? [];
    const lag = loops.length ? Math.max(...loops.map((each) => each.lag ?? 0)) : null;
    const busy = loops.some((each) => typeof each.busy === "number")
      ? Math.max(...loops.map((each) => each.busy ?? 0))
      : null;
    const last = this.history.at(-1);
    if (last && this.time <= last[0]) return;
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

  #takeHistory(data) {
    const known = this.history.filter((each) => !data.points.length || each[0] > data.points.at(-1)[0]);
    for (const point of data.points) point.noted = true;
    this.history = [...data.points, ...known].slice(-KEPT);
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
