// Asks again and again while a view is shown and the page is live, one question at a time.

export class Polling {
  #timer = 0;
  #ended = false;
  #asking = false;

  /** `ask()` returns a promise; `interval` in milliseconds is counted from an answer to the next question. */
  constructor(model, ask, interval = 2000) {
    this.model = model;
    this.ask = ask;
    this.interval = interval;
    this.unlisten = model.listen((what) => {
      if (what === "connection" && !model.paused) this.now();
    });
    this.now();
  }

  /** Asks at once. */
  async now() {
    if (this.#asking || this.#ended) return;
    clearTimeout(this.#timer);
    this.#asking = true;
    try {
      if (!this.model.paused && !document.hidden && this.model.pid !== null) await this.ask();
    } finally {
      this.#asking = false;
      if (!this.#ended) this.#timer = setTimeout(() => this.now(), this.interval);
    }
  }

  get ended() {
    return this.#ended;
  }

  end() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.unlisten();
  }
}
