// A table of many rows, of which only those that can be seen are in the page.
//
// It is a `grid` that has the focus itself and names its active row (aria-activedescendant), so that nothing loses the
// focus when rows are used again for others. All rows have the same height. Columns that are marked `wide` are left out
// on narrow screens: what they say stands in what a row opens.
//
//   new Table({
//     label: "Connections", key: (row) => row.id, empty: "Nothing is open.",
//     columns: [{ id, title, value(row), text(row), render(cell, row), align: "end", width: "8rem", wide: true }],
//                                                          width: "8rem", or at least that: "minmax(8rem, 1fr)"
//     sort: { id: "age", descending: true }, open(row), act(row), search(row) → text, filter: true,
//   })
//   table.element; table.show(rows, { total: 10_000, note: "…" })
//
// `covers(row, columns)` is over how many columns the first one goes in a row.
// `open` is called by Enter and a click, `act` by x or Delete. With `tree: { set(row, expanded) }` it is a `treegrid`: rows
// have a `depth` and `expanded` (null without a branch), are shown as they come, and left and right close and open.

import { h, setAttribute, setText } from "./dom.js";
import { count, number, text as shown } from "./format.js";

const ROW = 36;
const BEYOND = 6;
const NARROW = matchMedia("(max-width: 640px)");
let made = 0;

export class Table {
  #rows = [];
  #sorted = [];
  #pool = [];
  #active = null;
  #told = {};
  #frame = 0;
  #drawn = "";

  constructor({
    label,
    columns,
    key,
    sort = null,
    empty = "Nothing.",
    open = null,
    act = null,
    tree = null,
    covers = null,
    search = null,
    filter = true,
    tools = [],
    height = null,
  }) {
    made += 1;
    this.name = `table-${made}`;
    this.columns = columns;
    this.key = key;
    this.sort = sort;
    this.empty = empty;
    this.open = open;
    this.act = act;
    this.tree = tree;
    this.covers = covers;
    this.search = search;
    /** Called with the sorting that is wanted now. */
    this.onsort = null;
    this.filterText = "";
    this.input = h("input", {
      type: "search",
      class: "filter",
      placeholder: "Filter",
      "aria-label": `Filter: ${label}`,
      "aria-keyshortcuts": "/",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.filter(this.input.value),
      onkeydown: (event) => {
        if (event.key === "Escape" && this.input.value) {
          event.stopPropagation();
          this.input.value = "";
          this.filter("");
        } else if (event.key === "ArrowDown" || event.key === "Enter") {
          event.preventDefault();
          this.grid.focus();
        }
      },
    });
    this.told = h("span", { class: "told" });
    this.noted = h("p", { class: "note", hidden: true });
    this.headRow = h("div", { class: "row head", role: "row", "aria-rowindex": "1" });
    this.body = h("div", { class: "body", role: "rowgroup" });
    this.grid = h(
      "div",
      {
        class: "grid",
        role: tree ? "treegrid" : "grid",
        tabindex: "0",
        "aria-label": label,
        "aria-colcount": columns.length,
        onscroll: () => this.#later(),
        onkeydown: (event) => this.#onKey(event),
        onfocus: () => this.#onFocus(),
      },
      h("div", { role: "rowgroup", class: "heads" }, this.headRow),
      this.body,
    );
    if (height) this.grid.style.setProperty("max-height", height);
    this.element = h(
      "div",
      { class: "table" },
      filter || tools.length ? h("div", { class: "tools" }, filter ? this.input : null, this.told, ...tools) : null,
      this.noted,
      this.grid,
    );
    this.body.addEventListener("click", (event) => this.#onClick(event));
    this.body.addEventListener("mouseover", (event) => tellWhole(event.target.closest(".cell")));
    this.#heads();
    this.narrowed = () => {
      this.#heads();
      this.#draw(true);
    };
    NARROW.addEventListener("change", this.narrowed);
    this.resized = new ResizeObserver(() => this.#later());
    this.resized.observe(this.grid);
  }

  /** Lets go of what would otherwise hold it. */
  close() {
    NARROW.removeEventListener("change", this.narrowed);
    this.resized.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  // -- rows -------------------------------------------------------------------------------------------------

  /** Shows rows. `total`: how many there are, where not all are told of. `note`: said above. */
  show(rows, told = {}) {
    this.#rows = rows;
    this.#told = told;
    this.#arrange();
  }

  get rows() {
    return this.#sorted;
  }

  get active() {
    return this.#sorted.find((row) => this.key(row) === this.#active) ?? null;
  }

  /** Shows only rows that contain a text. */
  filter(text) {
    this.filterText = text.trim().toLowerCase();
    if (this.input.value.trim().toLowerCase() !== this.filterText) this.input.value = text;
    this.#arrange();
    this.grid.scrollTop = 0;
  }

  sortBy(id, descending) {
    this.sort = { id, descending };
    this.onsort?.(this.sort);
    this.#heads();
    this.#arrange();
  }

  #searched(row) {
    if (this.search) return this.search(row).toLowerCase();
    return this.columns
      .map((column) => this.#text(column, row))
      .join("\n")
      .toLowerCase();
  }

  #text(column, row) {
    return column.text ? column.text(row) : shown(column.value(row));
  }

  #arrange() {
    let rows = this.#rows;
    if (this.filterText) rows = rows.filter((row) => this.#searched(row).includes(this.filterText));
    const column = this.sort && this.columns.find((each) => each.id === this.sort.id);
    if (column) {
      const sign = this.sort.descending ? -1 : 1;
      const pairs = rows.map((row) => [column.value ? column.value(row) : column.text(row), row]);
      pairs.sort(([one], [other]) => compare(one, other, sign));
      rows = pairs.map(([, row]) => row);
    }
    this.#sorted = rows;
    const all = this.#told.total ?? this.#rows.length;
    const many = rows.length === all ? count(all, "row") : `${number(rows.length)} of ${count(all, "row")}`;
    // Where there is nothing, that is said in the place of the rows.
    setText(this.told, this.filterText ? many : all ? (this.#told.counted ?? many) : "");
    setText(this.noted, this.#told.note ?? "");
    this.noted.hidden = !this.#told.note;
    setAttribute(this.grid, "aria-rowcount", rows.length + 1);
    this.body.style.setProperty("height", `${Math.max(rows.length, 1) * ROW}px`);
    this.#draw(true);
  }

  // -- columns ----------------------------------------------------------------------------------------------

  #heads() {
    const columns = this.#shown();
    const widths = columns.map((each) => each.width ?? "minmax(6rem, 1fr)");
    this.grid.style.setProperty("--columns", widths.join(" "));
    // Heads and rows are as wide as one another, also where that is more than there is room for.
    this.grid.style.setProperty("--least", `calc(${widths.map((each) => each.match(/[\d.]+rem/)[0]).join(" + ")})`);
    const focused = this.headRow.contains(document.activeElement) ? document.activeElement.dataset.column : null;
    this.headRow.replaceChildren(
      ...columns.map((column) => {
        const sorted = this.sort?.id === column.id;
        const direction = this.sort?.descending ? "descending" : "ascending";
        return h(
          "div",
          {
            role: "columnheader",
            class: `cell ${column.align ?? ""}`,
            "aria-colindex": this.columns.indexOf(column) + 1,
            "aria-sort": this.tree ? null : sorted ? direction : "none",
          },
          this.tree
            ? h("span", { class: "name" }, column.title)
            : h(
                "button",
                {
                  type: "button",
                  data: { column: column.id },
                  onclick: () => this.sortBy(column.id, sorted ? !this.sort.descending : column.align === "end"),
                },
                column.title,
              ),
        );
      }),
    );
    if (focused) this.headRow.querySelector(`[data-column="${focused}"]`)?.focus();
    for (const row of this.#pool) row.remove();
    this.#pool = [];
  }

  #shown() {
    return NARROW.matches ? this.columns.filter((each) => !each.wide) : this.columns;
  }

  // -- drawing ----------------------------------------------------------------------------------------------

  #later() {
    if (!this.#frame) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#draw(false);
      });
    }
  }

  #draw(anew) {
    const height = this.grid.clientHeight || 600;
    const first = Math.max(0, Math.floor(this.grid.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.#sorted.length, first + Math.ceil(height / ROW) + 2 * BEYOND);
    const range = `${first} ${last}`;
    if (!anew && range === this.#drawn) return;
    this.#drawn = range;
    const columns = this.#shown();
    const wanted = Math.max(1, last - first);
    while (this.#pool.length > wanted) this.#pool.pop().remove();
    while (this.#pool.length < wanted) {
      const row = h("div", { class: "row", role: "row" });
      this.#pool.push(row);
      this.body.append(row);
    }
    if (!this.#sorted.length) this.#drawEmpty(columns.length);
    else for (let index = first; index < last; index += 1) this.#drawRow(this.#pool[index - first], index, columns);
    const active = this.#sorted.length ? this.#index() : -1;
    setAttribute(
      this.grid,
      "aria-activedescendant",
      active >= first && active < last ? `${this.name}-${active}` : null,
    );
  }

  #drawEmpty(span) {
    const [row] = this.#pool;
    row.className = "row empty";
    row.removeAttribute("id");
    row.removeAttribute("aria-selected");
    setAttribute(row, "aria-rowindex", 2);
    row.style.setProperty("transform", "none");
    const filtered = this.filterText && this.#rows.length;
    const message = filtered ? "Nothing contains what the filter says." : (this.#told.empty ?? this.empty);
    row.replaceChildren(h("div", { role: "gridcell", class: "cell", "aria-colspan": span }, message));
    row.cells = null;
  }

  #drawRow(element, index, columns) {
    const row = this.#sorted[index];
    const key = this.key(row);
    setAttribute(element, "id", `${this.name}-${index}`);
    setAttribute(element, "aria-rowindex", index + 2);
    setAttribute(element, "aria-selected", key === this.#active ? "true" : "false");
    if (this.tree) {
      setAttribute(element, "aria-level", row.depth + 1);
      setAttribute(element, "aria-expanded", row.expanded === null ? null : String(row.expanded));
    }
    element.className = `row${key === this.#active ? " active" : ""}${this.open ? " opens" : ""}`;
    element.dataset.index = index;
    element.style.setProperty("transform", `translateY(${index * ROW}px)`);
    if (!element.cells) {
      element.cells = columns.map((column) =>
        h("div", {
          role: "gridcell",
          class: `cell ${column.align ?? ""}`,
          "aria-colindex": this.columns.indexOf(column) + 1,
        }),
      );
      element.replaceChildren(...element.cells);
    }
    const covered = this.covers?.(row, columns) ?? 1;
    element.cells[0].style.setProperty("grid-column", `1 / span ${covered}`);
    columns.forEach((column, position) => {
      const cell = element.cells[position];
      cell.hidden = position > 0 && position < covered;
      if (cell.hidden) return;
      if (column.render) column.render(cell, row);
      else setText(cell, brief(this.#text(column, row)));
    });
  }

  // -- keys and the mouse -----------------------------------------------------------------------------------

  #index() {
    return this.#sorted.findIndex((row) => this.key(row) === this.#active);
  }

  #onFocus() {
    if (!this.grid.matches(":focus-visible") || !this.#sorted.length) return;
    if (this.#index() < 0) this.activate(0);
  }

  /** Makes the row with this index the active one, and brings it into view. */
  activate(index) {
    const last = this.#sorted.length - 1;
    if (last < 0) return;
    const wanted = Math.min(Math.max(index, 0), last);
    this.#active = this.key(this.#sorted[wanted]);
    const top = wanted * ROW;
    const room = this.grid.clientHeight - this.headRow.offsetHeight;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + ROW > this.grid.scrollTop + room) this.grid.scrollTop = top + ROW - room;
    this.#draw(true);
  }

  #onKey(event) {
    if (event.target !== this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.grid.clientHeight / ROW) - 2);
    const index = this.#index();
    const moves = {
      ArrowDown: index + 1,
      ArrowUp: index < 0 ? 0 : index - 1,
      PageDown: Math.max(index, 0) + page,
      PageUp: index - page,
      Home: 0,
      End: this.#sorted.length - 1,
    };
    if (event.key in moves) this.activate(moves[event.key]);
    else if (event.key === "Enter" && index >= 0 && this.open) this.open(this.#sorted[index]);
    else if ((event.key === "x" || event.key === "Delete") && index >= 0 && this.act) this.act(this.#sorted[index]);
    else if (this.tree && index >= 0 && event.key === "ArrowRight") this.#expand(index);
    else if (this.tree && index >= 0 && event.key === "ArrowLeft") this.#collapse(index);
    else return;
    event.preventDefault();
  }

  #expand(index) {
    const row = this.#sorted[index];
    if (row.expanded === false) this.tree.set(row, true);
    else if (row.expanded) this.activate(index + 1);
  }

  #collapse(index) {
    const row = this.#sorted[index];
    if (row.expanded) {
      this.tree.set(row, false);
      return;
    }
    for (let above = index - 1; above >= 0; above -= 1) {
      // What has no branch may be less deep, and is no parent.
      if (this.#sorted[above].depth < row.depth && this.#sorted[above].expanded !== null) {
        this.activate(above);
        return;
      }
    }
  }

  #onClick(event) {
    const element = event.target.closest(".row");
    if (!element || element.dataset.index === undefined || !this.#sorted.length) return;
    const row = this.#sorted[Number(element.dataset.index)];
    if (!row) return;
    this.#active = this.key(row);
    this.#draw(true);
    if (this.tree && row.expanded !== null && event.target.closest(".twist")) this.tree.set(row, !row.expanded);
    else if (this.open && !event.target.closest("button, a")) this.open(row);
  }
}

/** A column of numbers as `format` writes them: of what has the name of the column, or of `value(row)`. */
export const figures = (id, title, format, { width, wide = false, value = (row) => row[id] }) => ({
  id,
  title,
  align: "end",
  value,
  text: (row) => format(value(row)),
  width,
  wide,
});

/** The column that says of which process a row is, where several are shown. */
export const processColumns = (model) =>
  model.process === "all"
    ? [{ id: "pid", title: "Process", align: "end", value: (row) => row.pid, width: "5.5rem", wide: true }]
    : [];

/** The most characters of a text that a cell takes: the rest can't be seen, but would have to be laid out. */
const LONGEST = 300;

export const brief = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

/** What does not fit into a cell is told where the mouse rests on it. */
function tellWhole(cell) {
  if (cell) setAttribute(cell, "title", cell.scrollWidth > cell.clientWidth ? cell.textContent : null);
}

/** Orders two values; what is not known comes last, whichever way. */
function compare(one, other, sign) {
  const missing = (value) => value === null || value === undefined || Number.isNaN(value);
  if (missing(one) || missing(other)) return Number(missing(one)) - Number(missing(other));
  if (typeof one === "number" && typeof other === "number") return sign * (one - other);
  return sign * String(one).localeCompare(String(other), "en", { numeric: true });
}
