// Lines over time, drawn by uPlot.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { h, setAttribute } from "./dom.js";
import { clock } from "./format.js";
import { colour, onTheme } from "./theme.js";

/** Steps of an axis of sizes. */
const BINARY = Array.from({ length: 45 }, (_, power) => 2 ** power);

/** Seconds that are shown. */
export const SPAN = 600;

export { uPlot };

/** Times of an axis: with seconds where minutes would say the same again. */
function times(splits) {
  const short = splits.at(-1) - splits[0] < 60 * (splits.length - 1);
  return splits.map((each) => clock(each).slice(0, short ? 8 : 5));
}

/**
 * A chart of one or several series over the last ten minutes.
 *
 * `series`: [{ label, colour: "--custom-property", fill: bool }]; `format(value)` for the axis and the label; `label`: what
 * it is; `floor`: the least that the top of the scale is; `binary`: sizes in bytes. `show(times, [values, …])`.
 */
export class Chart {
  #plot = null;
  #data = null;

  constructor({ label, series, format, floor = 0, height = 120, span = SPAN, binary = false }) {
    this.label = label;
    this.series = series;
    this.format = format;
    this.floor = floor;
    this.height = height;
    this.binary = binary;
    this.span = span;
    this.element = h("div", { class: "chart", role: "img", "aria-label": label, style: { "--height": `${height}px` } });
    this.resized = new ResizeObserver(() => this.#fit());
    this.resized.observe(this.element);
    this.untheme = onTheme(() => this.#plot?.redraw());
  }

  close() {
    this.resized.disconnect();
    this.untheme();
    this.#plot?.destroy();
    this.#plot = null;
  }

  show(times, values) {
    this.#data = [times, ...values];
    if (this.#plot) this.#plot.setData(this.#data);
    else this.#make();
    this.#describe();
  }

  #fit() {
    const width = Math.floor(this.element.clientWidth);
    if (!width) return;
    if (this.#plot) this.#plot.setSize({ width, height: this.height });
    else this.#make();
  }

  #make() {
    const width = Math.floor(this.element.clientWidth);
    if (!width || !this.#data) return;
    const axis = {
      stroke: () => colour("--soft"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { show: false },
    };
    this.#plot = new uPlot(
      {
        width,
        height: this.height,
        padding: [8, 6, 0, 0],
        legend: { show: false },
        cursor: { points: { size: 6 }, drag: { x: false, y: false }, y: false },
        scales: {
          x: { time: true, range: () => this.#range() },
          y: { range: (plot, least, most) => [0, Math.max(this.floor, (most ?? 0) * 1.1) || 1] },
        },
        axes: [
          { ...axis, size: 22, space: 70, values: (plot, splits) => times(splits) },
          {
            ...axis,
            size: 58,
            space: 30,
            incrs: this.binary ? BINARY : undefined,
            values: (plot, splits) => splits.map((each) => this.format(each)),
          },
        ],
        series: [
          {},
          ...this.series.map((each) => ({
            label: each.label,
            stroke: () => colour(each.colour),
            fill: each.fill ? () => colour(each.fill) : undefined,
            width: 1.75,
            points: { show: false },
            spanGaps: false,
          })),
        ],
        hooks: { setCursor: [(plot) => this.#point(plot)] },
      },
      this.#data,
      this.element,
    );
    this.pointed = h("div", { class: "pointed", hidden: true });
    this.element.append(this.pointed);
  }

  #range() {
    const last = this.#data[0].at(-1) ?? Date.now() / 1000;
    const first = this.#data[0][0] ?? last;
    return [Math.max(first, last - this.span), last > first ? last : first + 1];
  }

  #point(plot) {
    const index = plot.cursor.idx;
    if (!this.pointed) return;
    const inside = index !== null && index !== undefined && plot.cursor.left >= 0;
    this.pointed.hidden = !inside;
    if (!inside) return;
    const said = this.series.map((each, position) => {
      const value = this.#data[position + 1][index];
      return `${this.series.length > 1 ? `${each.label} ` : ""}${this.format(value)}`;
    });
    this.pointed.textContent = `${clock(this.#data[0][index])}  ${said.join(", ")}`;
  }

  /** Says in words what is drawn; it is no live region, whoever wants to know reads it. */
  #describe() {
    const [times, ...values] = this.#data;
    if (!times.length) {
      setAttribute(this.element, "aria-label", `${this.label}: nothing is known yet`);
      return;
    }
    const said = values.map((each, position) => {
      const known = each.filter((value) => typeof value === "number");
      const name = this.series.length > 1 ? `${this.series[position].label} ` : "";
      if (!known.length) return `${name}unknown`;
      return `${name}now ${this.format(known.at(-1))}, at most ${this.format(known.reduce((one, other) => Math.max(one, other)))}`;
    });
    setAttribute(this.element, "aria-label", `${this.label}, the last ten minutes: ${said.join("; ")}`);
  }
}
