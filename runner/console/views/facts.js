/** What stands beside a conversation: limits as they are used, and why this agent. */

import { ending } from "../format/ends.js";
import { clock, count, money, party, span } from "../format/format.js";
import { began } from "../state/list.js";
import { el, fill, setAttribute, setText } from "./dom.js";

/** @typedef {import("../wire.js").Call} Call */

export class Limits {
  #rows = ["Time", "Cost", "Tool calls"].map((name) => {
    const value = el("span", { class: "value" });
    const bar = el("span", { class: "bar" });
    const meter = el("span", { class: "meter", "aria-hidden": "true" }, bar);
    return { value, bar, meter, node: el("li", {}, el("span", {}, name), value, meter) };
  });
  node = el("section", { class: "limits", "aria-labelledby": "limits" }, el("h2", { id: "limits" }, "Limits"),
    el("ul", {}, ...this.#rows.map(({ node }) => node)));

  /** @param {Call} call @param {number} now */
  update(call, now) {
    const { limits } = call;
    const seconds = (call.ended_at ?? now) - began(call);
    const tools = limits?.tool_calls ?? call.tools.length;
    this.#show(0, clock(seconds), limits ? clock(limits.max_duration_s) : null, limits ? seconds / limits.max_duration_s : null);
    const cost = limits ? limits.cost_usd : call.cost_usd;
    const most = limits?.max_cost_usd ?? null;
    this.#show(1, money(cost), most === null ? null : money(most), most === null || cost === null ? null : cost / most);
    const mostTools = limits?.max_tool_calls ?? null;
    this.#show(2, count(tools), mostTools === null ? null : count(mostTools), mostTools ? tools / mostTools : null);
    setText(this.node.firstElementChild ?? this.node, limits ? "Limits" : "Used");
  }

  /** @param {number} n @param {string} value @param {string | null} most @param {number | null} part */
  #show(n, value, most, part) {
    const row = this.#rows[n];
    setText(row.value, most === null ? value : `${value} of ${most}`);
    row.meter.hidden = part === null;
    if (part !== null) row.bar.style.inlineSize = `${Math.min(100, Math.max(0, part * 100)).toFixed(1)}%`;
    setAttribute(row.meter, "data-full", part !== null && part > 0.8);
  }
}

export class Why {
  #facts = el("dl");
  #shown = "";
  node = el("section", { class: "why", "aria-labelledby": "why" }, el("h2", { id: "why" }, "Why this agent"), this.#facts);

  /** @param {Call} call */
  update(call) {
    const facts = whyFacts(call);
    const shown = JSON.stringify(facts);
    if (shown === this.#shown) return;
    this.#shown = shown;
    fill(this.#facts, ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  }
}

/** @param {Call} call @returns {[string, string][]} */
export function whyFacts(call) {
  /** @type {[string, string][]} */
  const facts = [];
  const add = (/** @type {string} */ name, /** @type {string | null | undefined} */ value) => { if (value) facts.push([name, value]); };
  add("reason", call.why);
  add("route", call.route ?? "none: otherwise");
  add("called", call.called === null ? null : `${party(call.called)}${call.called_found_in ? ` (in ${call.called_found_in})` : ""}`);
  add("over", call.transport === "sip" ? "SIP" : call.transport === "webrtc" ? "a browser" : call.transport);
  if (call.accepted_at !== null) add("answered", `${span(Math.max(0, call.accepted_at - call.created_at))} after the ring`);
  if (call.lookup_s !== null) add("lookup", span(call.lookup_s));
  const greeting = call.spans.find((one) => one.who === "agent");
  if (greeting && call.accepted_at !== null) add("first word", `${span(Math.max(0, greeting.from - call.accepted_at))} after that`);
  add("model", call.served_by && call.served_by !== call.model ? `${call.model} (${call.served_by})` : call.model);
  add("runner", call.runner);
  for (const [name, value] of Object.entries(call.vars ?? {})) add(`vars.${name}`, typeof value === "string" ? value : JSON.stringify(value));
  for (const fault of call.faults) add("fault", fault);
  if (call.ended) add("ended", `${ending(call.ended)}${call.detail ? `: ${call.detail}` : ""}`);
  return facts;
}
