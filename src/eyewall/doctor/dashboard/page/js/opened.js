// What is open of some registries, of all processes that are shown: asked for again and again, and put together.
//
// Where a process can't be asked, or does not know the command `open`, what the last state says is taken.

import { Polling } from "./polling.js";
import { number } from "./format.js";

/** Entries of each registry that are asked for. */
export const SOME = 1000;
export const MANY = 5000;
/** What a process can sort by: numbers with the largest first, texts by the alphabet. */
const SORTS = ["age", "idle", "bytes_in", "bytes_out", "peer", "route", "label", "kind"];

export class Opened {
  /** `registries`: names; `show(rows, told)` is called after each answer, as `Table.show` takes it. */
  constructor(model, registries, show) {
    this.model = model;
    this.registries = registries;
    this.show = show;
    this.limit = SOME;
    this.sort = "age";
    this.contains = "";
    this.polling = new Polling(model, () => this.#ask(), 2000);
  }

  /** Asks for something else: { registries, sort, contains, limit }. */
  change(wanted) {
    if (wanted.sort && !SORTS.includes(wanted.sort)) wanted = { ...wanted, sort: "age" };
    Object.assign(this, wanted);
    this.again = true;
    this.polling.now();
  }

  end() {
    this.polling.end();
  }

  async #ask() {
    do {
      this.again = false;
      const { sort, limit, contains, registries } = this;
      const answers = await Promise.all(
        registries.map((registry) => this.model.askEach("open", { registry, limit, sort, contains: contains || null })),
      );
      if (this.polling.ended) return;
      // Somebody wants something else meanwhile.
      if (!this.again) this.#put(registries, answers);
    } while (this.again);
  }

  #put(registries, answers) {
    const rows = [];
    const notes = [];
    let total = 0;
    let cut = false;
    let sampled = false;
    registries.forEach((registry, index) => {
      for (const { pid, answer, error } of answers[index]) {
        if (error) {
          const known = this.#fromState(registry, pid);
          rows.push(...known);
          total += Math.max(known.length, this.#count(registry, answers[index].length));
          if (error.code !== "unknown-command") notes.push(`${this.model.title(pid)}: ${error.message}`);
          continue;
        }
        for (const entry of answer.entries) rows.push({ ...entry, pid });
        total += answer.total;
        cut ||= answer.shown < (answer.matching ?? answer.total);
        sampled ||= answer.sampled;
      }
    });
    if (sampled) notes.push("There are so many that a process looked at some of them only.");
    if (cut)
      notes.push(
        `Of ${number(total)}, ${number(rows.length)} are shown, first by ${this.sort.replaceAll("_", " ")}; a filter looks through all.`,
      );
    this.show(rows, { total, note: [...new Set(notes)].join(" "), cut });
  }

  #fromState(registry, pid) {
    const entries = this.model.state?.open?.entries?.[registry] ?? [];
    return entries.map((entry) => ({ pid, ...entry })).filter((entry) => entry.pid === pid);
  }

  /** What the state counts, where it is of one process. */
  #count(registry, processes) {
    return processes === 1 ? (this.model.state?.open?.counts?.[registry] ?? 0) : 0;
  }
}
