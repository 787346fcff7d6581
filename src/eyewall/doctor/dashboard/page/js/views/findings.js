// All findings, the worst first, with what they rest on and what to do.

import { fill, h, keyed, setAttribute, setText } from "../dom.js";
import { number } from "../format.js";
import { findingCard, keyOf, worstFirst } from "../pieces.js";

const KINDS = [
  ["all", "All"],
  ["error", "Errors"],
  ["warning", "Warnings"],
  ["notice", "Notices"],
];
/** Cards at first, and more at a time. */
const PAGE = 50;

export default {
  id: "findings",
  title: "Findings",
  key: "f",
  mount(root, model) {
    let kind = "all";
    let text = "";
    let limit = PAGE;
    let wanted = model.router.parameters.open ?? null;
    const buttons = KINDS.map(([id, title]) =>
      h("button", { type: "button", data: { kind: id, title }, onclick: () => choose(id) }, title),
    );
    const filter = h("input", {
      type: "search",
      class: "filter",
      placeholder: "Filter",
      "aria-label": "Filter: findings",
      "aria-keyshortcuts": "/",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => {
        text = filter.value.trim().toLowerCase();
        limit = PAGE;
        show();
      },
    });
    const list = h("div", { class: "finding-list" });
    const none = h("p", { class: "card calm", hidden: true });
    const more = h("button", { type: "button", hidden: true, onclick: () => ((limit += PAGE), show()) });
    root.append(
      h(
        "div",
        { class: "tools" },
        h("div", { class: "choices-row", role: "group", "aria-label": "Severity" }, buttons),
        filter,
      ),
      none,
      h("section", { "aria-label": "Findings" }, list),
      more,
    );

    function choose(id) {
      kind = id;
      limit = PAGE;
      show();
    }

    const contains = (finding) =>
      !text ||
      [
        finding.summary,
        finding.rule,
        finding.advice,
        finding.place?.file,
        finding.place?.function,
        finding.place?.source,
        finding.subject?.path,
      ]
        .join("\n")
        .toLowerCase()
        .includes(text);

    function show() {
      for (const each of buttons) {
        const many =
          each.dataset.kind === "all"
            ? model.findings.length
            : model.findings.filter((one) => one.severity === each.dataset.kind).length;
        setText(each, `${each.dataset.title} ${number(many)}`);
        setAttribute(each, "aria-pressed", each.dataset.kind === kind ? "true" : "false");
      }
      const found = worstFirst(model.findings).filter(
        (each) => (kind === "all" || each.severity === kind) && contains(each),
      );
      const now = model.time || Date.now() / 1000;
      keyed(
        list,
        found.slice(0, limit),
        keyOf,
        (each) => findingCard(each, { title: model.process === "all" ? model.title(each.pid) : null }),
        (card, each) => card.bring(now, each),
      );
      more.hidden = found.length <= limit;
      setText(more, `Show more of ${number(found.length)}`);
      none.hidden = found.length > 0;
      if (!found.length) {
        fill(
          none,
          model.findings.length
            ? "None of the findings is so."
            : model.findingsKnown
              ? "Nothing is wrong, as far as the doctor sees."
              : "Asking what the doctor has found…",
        );
      }
      if (wanted && found.length) reveal(found);
    }

    /** Opens the finding that the address names, once. */
    function reveal(found) {
      const index = found.findIndex((each) => keyOf(each) === wanted);
      if (index < 0 || index >= limit) return;
      wanted = null;
      const card = list.children[index];
      const details = card.querySelector("details");
      if (details) details.open = true;
      card.tabIndex = -1;
      card.focus({ preventScroll: true });
      card.scrollIntoView({ block: "center" });
    }

    show();
    return {
      update(what) {
        if (what === "findings" || what === "state") show();
      },
      unmount() {},
    };
  },
};
