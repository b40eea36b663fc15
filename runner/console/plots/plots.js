/** Plots of the day: columns and lines over hours, bars by name. Own SVG, each with a table behind it. */

import { el, svg } from "../views/dom.js";
import { roundSteps } from "./scale.js";

const HEIGHT = 168;
const TOP = 10;
const AXIS = 22;
const RIGHT = 8;

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {(number | null)[]} values one for each label
 * @property {"columns" | "line" | "dashes"} form
 */

/**
 * @typedef {object} Plot
 * @property {string} title
 * @property {string} [note]
 * @property {string[]} labels of the hours
 * @property {Series[]} series
 * @property {(value: number) => string} unit how a value is written
 * @property {(value: number) => string} [axis] how a round one is written
 * @property {number} [leastStep] of the axis: there is no half a call
 */

/** @param {Plot} plot @returns {HTMLElement} */
export function hoursPlot({ title, note, labels, series, unit, axis = unit, leastStep }) {
  const picture = svg("svg", { height: HEIGHT, role: "img", "aria-label": `${title}, by the hour; the table below has the numbers` });
  const figure = el("figure", { class: "plot" }, picture);
  new ResizeObserver(([entry]) => draw(Math.floor(entry.contentRect.width))).observe(figure);

  /** @param {number} width */
  function draw(width) {
    if (width <= 0) return;
    const steps = roundSteps(Math.max(...series.flatMap((one) => one.values.map((value) => value ?? 0))), leastStep);
    const most = steps[steps.length - 1];
    const left = Math.max(...steps.map((step) => axis(step).length)) * 7 + 10;
    const inner = width - left - RIGHT;
    const slot = inner / labels.length;
    const y = (/** @type {number} */ value) => TOP + (HEIGHT - TOP - AXIS) * (1 - value / most);
    const every = [1, 2, 3, 4, 6, 8, 12, 24].find((n) => n * slot >= 46) ?? 24;
    picture.setAttribute("width", String(width));
    picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    picture.replaceChildren(
      ...steps.flatMap((step) => [
        svg("line", { class: step ? "grid" : "ground", x1: left, x2: width - RIGHT, y1: y(step), y2: y(step) }),
        svg("text", { class: "tick-name", x: left - 8, y: y(step) + 4, "text-anchor": "end" }, axis(step)),
      ]),
      ...labels.flatMap((label, n) => (n % every ? [] : [
        svg("text", { class: "tick-name", x: left + slot * (n + 0.5), y: HEIGHT - 5, "text-anchor": "middle" }, label)])),
      ...series.flatMap((one, n) => marks(one, n, (at) => left + slot * (at + 0.5), y, slot, (at, value) => `${labels[at]}: ${unit(value)}`)),
    );
  }

  const key = series.length > 1
    ? el("ul", { class: "legend" }, ...series.map((one) => el("li", {}, el("span", { class: `swatch ${one.form}` }), one.name)))
    : null;
  return panel(title, note, figure, key, table(["Hour", ...series.map((one) => one.name)],
    labels.map((label, n) => [label, ...series.map((one) => text(one.values[n], unit))])));
}

/**
 * @param {Series} series
 * @param {number} n
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 * @param {number} slot
 * @param {(at: number, value: number) => string} told
 */
function marks(series, n, x, y, slot, told) {
  if (series.form === "columns") {
    const width = Math.max(2, Math.min(28, slot * 0.66));
    return series.values.flatMap((value, at) => (value ? [
      svg("rect", { class: "column", x: x(at) - width / 2, y: y(value), width, height: Math.max(1, y(0) - y(value)), rx: Math.min(2, width / 3) },
        svg("title", {}, told(at, value)))] : []));
  }
  let path = "";
  let isDrawn = false;
  const points = [];
  for (const [at, value] of series.values.entries()) {
    if (value === null) { isDrawn = false; continue; }
    path += `${isDrawn ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    isDrawn = true;
    points.push(svg("circle", { class: `point ${series.form}`, cx: x(at), cy: y(value), r: 2.5 }, svg("title", {}, told(at, value))));
  }
  return [svg("path", { class: `curve ${series.form}`, d: path, "data-n": n }), ...points];
}

/**
 * @typedef {object} Bars
 * @property {string} title
 * @property {string} [note]
 * @property {string[]} heads of the table behind it
 * @property {{name: string, value: number, told: string, cells: string[]}[]} rows
 */

/** @param {Bars} bars @returns {HTMLElement} */
export function barsPlot({ title, note, heads, rows }) {
  const most = Math.max(...rows.map((row) => row.value), 1e-9);
  const list = el("ul", { class: "bars", "aria-hidden": "true" }, ...rows.map((row) => {
    const bar = el("span", { class: "bar" });
    bar.style.inlineSize = `${((row.value / most) * 100).toFixed(1)}%`;
    return el("li", {}, el("span", { class: "name" }, row.name), el("span", { class: "meter" }, bar), el("span", { class: "value" }, row.told));
  }));
  return panel(title, note, rows.length ? list : el("p", { class: "nothing" }, "Nothing yet."), null,
    table(heads, rows.map((row) => [row.name, ...row.cells])));
}

/** @param {string} title @param {string | undefined} note @param {HTMLElement} plot @param {HTMLElement | null} key @param {HTMLElement} behind */
function panel(title, note, plot, key, behind) {
  return el("section", { class: "panel" }, el("h2", {}, title), note ? el("p", { class: "hint" }, note) : null, plot, key,
    el("details", { class: "behind" }, el("summary", {}, "Table", el("span", { class: "unseen" }, ` of ${title}`)),
      el("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": `Table of ${title}` }, behind)));
}

/** @param {string[]} heads @param {string[][]} rows */
function table(heads, rows) {
  return el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...rows.map(([first, ...rest]) => el("tr", {}, el("th", { scope: "row" }, first), ...rest.map((cell) => el("td", {}, cell))))));
}

/** @param {number | null} value @param {(value: number) => string} unit */
function text(value, unit) {
  return value === null ? "–" : unit(value);
}
