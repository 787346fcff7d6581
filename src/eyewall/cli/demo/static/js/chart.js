// A line over time, as SVG: it has the colours of the page, and is sharp on every screen.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600;

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Returns a round number that is not below `value`: the top of an axis. */
export function roundTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((top) => top >= value);
}

export class Chart {
  #points = [];
  #planned = false;

  /** `span`: seconds from the left to the right. `floor`: the least that the top of the axis stands for. */
  constructor(parent, { label, span = 120, height = 180, floor = 1, axis = true }) {
    this.span = span;
    this.height = height;
    this.floor = floor;
    this.svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: "none", role: "img" });
    this.svg.setAttribute("aria-label", label);
    this.grid = shape("path", { class: "grid", d: this.#gridPath() });
    this.area = shape("path", { class: "area" });
    this.line = shape("path", { class: "line" });
    this.svg.append(...(axis ? [this.grid] : []), this.area, this.line);
    parent.append(this.svg);
    if (axis) {
      this.top = document.createElement("span");
      this.top.className = "top";
      const since = document.createElement("span");
      since.className = "since";
      since.textContent = `${span / 60} min ago`;
      const now = document.createElement("span");
      now.className = "until";
      now.textContent = "now";
      parent.append(this.top, since, now);
    }
  }

  /** Adds a value; `time` is in milliseconds. Many at once are drawn once. */
  add(time, value) {
    this.#points.push([time, value]);
    const oldest = time - this.span * 1000;
    while (this.#points[0][0] < oldest) this.#points.shift();
    if (this.#planned) return;
    this.#planned = true;
    requestAnimationFrame(() => this.#draw());
  }

  #gridPath() {
    return [0, 0.5, 1].map((part) => `M0 ${1 + part * (this.height - 2)}H${WIDTH}`).join("");
  }

  #draw() {
    this.#planned = false;
    const last = this.#points.at(-1)[0];
    const top = roundTop(Math.max(this.floor, ...this.#points.map(([, value]) => value)));
    const x = (time) => (WIDTH * (1 - (last - time) / (this.span * 1000))).toFixed(1);
    const y = (value) => (1 + (1 - value / top) * (this.height - 2)).toFixed(1);
    const line = this.#points.map(([time, value]) => `${x(time)} ${y(value)}`).join("L");
    this.line.setAttribute("d", `M${line}`);
    this.area.setAttribute("d", `M${x(this.#points[0][0])} ${this.height}L${line}L${WIDTH} ${this.height}Z`);
    if (this.top) this.top.textContent = top.toLocaleString("en");
  }
}
