/** One day's calls, summed up: plots with a table behind each. */

import { Refusal, get, query } from "../api.js";
import { dayOf, shifted, startOf } from "../format/days.js";
import { ending } from "../format/ends.js";
import { count, money, span } from "../format/format.js";
import { ROOT } from "../paths.js";
import { barsPlot, hoursPlot } from "../plots/plots.js";
import { el, fill } from "./dom.js";

/** @typedef {import("../wire.js").Day} Day */
/** @typedef {import("../main.js").Console} Console */

/**
 * @param {Console} use
 * @param {URLSearchParams} look
 * @returns {import("../main.js").Page}
 */
export function dayPage(use, look) {
  const page = new AbortController();
  const today = dayOf(new Date(use.state.now() * 1000));
  const day = startOf(look.get("date")) ? String(look.get("date")) : today;
  use.entitle(day === today ? "Today" : day);
  const to = (/** @type {string} */ date) => `${ROOT}day${query({ date: date === today ? "" : date })}`;
  const input = el("input", { type: "date", value: day, max: today, "aria-label": "Day", onchange: () => input.value && use.go(to(input.value)) });
  const content = el("div", { class: "day-content" }, el("p", { class: "nothing", role: "status" }, "Loading…"));
  const node = el("div", { class: "day" },
    el("div", { class: "page-head" },
      el("h1", { tabindex: "-1" }, title(day, today)),
      el("nav", { class: "days", "aria-label": "Days" },
        el("a", { class: "button", href: to(shifted(day, -1)) }, "Day before"), input,
        day < today ? el("a", { class: "button", href: to(shifted(day, 1)) }, "Day after") : null)),
    content);

  async function load() {
    try {
      /** @type {Day} */
      const sums = await get(`/admin/day${query({ from: startOf(day)?.toISOString(), to: startOf(day, 1)?.toISOString() })}`, page.signal);
      fill(content, ...plots(sums));
    } catch (error) {
      if (page.signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401) return use.signedOut();
      fill(content, el("p", { class: "nothing", role: "alert" }, error.message));
    }
  }

  load();
  return { node, update() {}, close: () => page.abort() };
}

/** @param {string} day @param {string} today */
function title(day, today) {
  if (day === today) return "Today";
  return new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric" }).format(startOf(day) ?? new Date());
}

/** @param {Day} day @returns {HTMLElement[]} */
function plots(day) {
  const hours = day.hours;
  const labels = hours.map((hour) => `${String(new Date(hour.from * 1000).getHours()).padStart(2, "0")}:00`);
  const seconds = (/** @type {number} */ value) => `${Number(value.toPrecision(3))} s`;
  const dollars = (/** @type {number} */ value) => `$${Number(value.toPrecision(3)).toLocaleString("en-US")}`;
  const sums = /** @type {const} */ ([
    ["calls", count(day.calls)],
    ["median response", day.response_s.p50 === null ? "–" : span(day.response_s.p50)],
    ["90th percentile", day.response_s.p90 === null ? "–" : span(day.response_s.p90)],
    ["cost", money(day.priced || !day.calls ? day.cost_usd : null)],
    ["cost a call", money(day.priced ? day.cost_usd / day.priced : null)],
  ]);
  return [
    el("dl", { class: "sums" }, ...sums.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    ...(day.is_whole ? [] : [el("p", { class: "banner" }, "More than 20,000 calls: only the newest are counted.")]),
    el("div", { class: "panels" },
      hoursPlot({ title: "Calls", labels, unit: count, leastStep: 1, series: [{ name: "calls", form: "columns", values: hours.map((hour) => hour.calls) }] }),
      hoursPlot({
        title: "Response time", note: "From the end of the caller's speech to the agent's first audio.", labels, unit: span, axis: seconds,
        series: [
          { name: "median", form: "line", values: hours.map((hour) => hour.response_s.p50) },
          { name: "90th percentile", form: "dashes", values: hours.map((hour) => hour.response_s.p90) },
        ],
      }),
      hoursPlot({
        title: "Cost", note: day.priced < day.calls ? `Of ${count(day.priced)} of ${count(day.calls)} calls. For the others, the price of a model is unknown.` : undefined, labels, unit: money, axis: dollars,
        series: [{ name: "cost", form: "columns", values: hours.map((hour) => hour.cost_usd) }],
      }),
      barsPlot({
        title: "Tools", note: "Bars show the 90th percentile of the tool's duration.",
        heads: ["Tool", "Calls", "Failed", "Median", "90th", "99th"],
        rows: byValue(Object.entries(day.tools).map(([name, tool]) => ({
          name, value: tool.took_s.p90 ?? 0,
          told: `${tool.took_s.p90 === null ? "–" : span(tool.took_s.p90)} · ${count(tool.calls)}${tool.failed ? ` · ${count(tool.failed)} failed` : ""}`,
          cells: [count(tool.calls), count(tool.failed), ...[tool.took_s.p50, tool.took_s.p90, tool.took_s.p99].map((value) => (value === null ? "–" : span(value)))],
        }))),
      }),
      counted("How calls ended", "End", day.ended, ending),
      counted("Agents", "Agent", day.agents, (name) => name)),
  ];
}

/** @param {string} title @param {string} head @param {{[name: string]: number}} counts @param {(name: string) => string} told */
function counted(title, head, counts, told) {
  const all = Object.values(counts).reduce((a, b) => a + b, 0);
  return barsPlot({
    title, heads: [head, "Calls", "Share"],
    rows: byValue(Object.entries(counts).map(([name, value]) => ({
      name: told(name), value, told: count(value), cells: [count(value), `${((value / all) * 100).toFixed(1)} %`],
    }))),
  });
}

/** @template {{value: number}} T @param {T[]} rows @returns {T[]} */
function byValue(rows) {
  return rows.sort((a, b) => b.value - a.value);
}
