// Which process is shown: one, or "all" of a group.

import { fill, h } from "./dom.js";
import { count } from "./format.js";

export class Selector {
  /** `choose(process)` is called with a pid or "all". */
  constructor(select, model, choose) {
    this.select = select;
    this.model = model;
    this.drawn = "";
    select.addEventListener("change", () => choose(select.value === "all" ? "all" : Number(select.value)));
  }

  show() {
    const { processes, process } = this.model;
    const drawn = JSON.stringify([processes.map((each) => [each.pid, each.title, each.alive]), process]);
    // A list that is open would be closed by being drawn anew.
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const options = processes.map((each) => h("option", { value: String(each.pid) }, option(each)));
    if (processes.length !== 1 || process === "all") {
      const living = processes.filter((each) => each.alive).length;
      options.unshift(
        h(
          "option",
          { value: "all" },
          processes.length ? `All (${count(living, "process", "processes")})` : "All processes",
        ),
      );
    }
    if (process !== "all" && !processes.some((each) => each.pid === process)) {
      options.push(h("option", { value: String(process) }, `process ${process} (unknown)`));
    }
    fill(this.select, options);
    this.select.value = String(process);
    if (this.single_) this.#fillSingle();
  }

  /** A choice for a view that tells of one process only; empty while one is selected anyway. */
  single() {
    this.single_ = h(
      "label",
      { class: "single" },
      "of process ",
      h("select", { onchange: (event) => this.model.focus(Number(event.target.value)) }),
    );
    this.#fillSingle();
    return this.single_;
  }

  #fillSingle() {
    const living = this.model.processes.filter((each) => each.alive);
    this.single_.hidden = this.model.process !== "all" || living.length < 2;
    const select = this.single_.querySelector("select");
    fill(
      select,
      living.map((each) => h("option", { value: String(each.pid) }, option(each))),
    );
    select.value = String(this.model.pid);
  }
}

function option(process) {
  const title = process.title || "process";
  const named = title.includes(String(process.pid)) ? title : `${title} (${process.pid})`;
  return process.alive ? named : `${named}, ended`;
}
