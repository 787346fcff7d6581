// What stands above everything: the connection is lost, the page is paused, a process does not answer.

import { h, keyed, setAttribute, setText } from "./dom.js";
import { clock } from "./format.js";

const LINKS = { waiting: "Connecting", open: "Live", lost: "Connection lost" };

export class Banners {
  constructor(element, link, linkText, pause, model) {
    Object.assign(this, { element, link, linkText, pause, model });
  }

  show() {
    const { model } = this;
    const state = model.paused ? "paused" : model.connection;
    setAttribute(this.link, "data-state", state);
    setText(this.linkText, model.paused ? "Paused" : LINKS[model.connection]);
    setAttribute(this.pause, "aria-pressed", model.paused ? "true" : "false");
    setText(this.pause, model.paused ? "Go on" : "Pause");
    keyed(
      this.element,
      this.#banners(),
      (each) => each.key,
      (each) => h("p", { class: `banner ${each.kind}`, role: each.kind === "bad" ? "alert" : null }),
      (element, each) => setText(element, each.text),
    );
  }

  #banners() {
    const { model } = this;
    if (model.paused) {
      const when = model.time ? ` at ${clock(model.time)}` : "";
      return [{ key: "paused", kind: "calm", text: `Paused: this is how it was${when}. Nobody is asked meanwhile.` }];
    }
    if (model.connection === "lost" && model.refused) {
      const text = "The dashboard was started anew with another token: open the URL that it has printed.";
      return [{ key: "refused", kind: "bad", text }];
    }
    if (model.connection === "lost") {
      const last = model.time ? `What is shown is of ${clock(model.time)}. ` : "";
      return [
        {
          key: "lost",
          kind: "bad",
          text: `The server of the dashboard can’t be reached since ${clock(model.since)}. ${last}Trying again…`,
        },
      ];
    }
    const found = [...model.trouble.values()].map((each) => ({
      key: `trouble ${each.pid}`,
      kind: each.code === "gone" ? "calm" : "bad",
      text: sentence(each, model),
    }));
    if (!found.length) {
      for (const each of model.missing) found.push({ key: `missing ${each}`, kind: "calm", text: capital(each) });
    }
    return found.slice(0, 4);
  }
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function sentence(trouble, model) {
  const who = model.title(trouble.pid);
  const named = who.includes(String(trouble.pid)) ? who : `${who} (${trouble.pid})`;
  if (trouble.code === "busy") return `The loop of ${named} does not answer: it is blocked. ${trouble.message}`;
  if (trouble.code === "gone") return `${named} has ended. What is shown is how it was last.`;
  return `${named}: ${trouble.message}`;
}
