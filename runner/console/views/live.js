/** Every live call of the fleet, a line each. */

import { clock, count, counted, listed, money, party } from "../format/format.js";
import { callPath } from "../paths.js";
import { ORDERS, began, rows, status, sums } from "../state/list.js";
import { Stream } from "../stream/stream.js";
import { KeyedList, el, setAttribute, setText, sign } from "./dom.js";

/** @typedef {import("../wire.js").CallRow} CallRow */
/** @typedef {import("../main.js").Console} Console */
/** @typedef {import("../state/list.js").Order} Order */

/** A list that is longer is not read but searched. */
const MOST_ROWS = 1000;

/** @param {Console} use @returns {import("../main.js").Page} */
export function livePage({ state, signedOut, entitle }) {
  entitle("Live calls");
  const stream = new Stream("/admin/events", {
    message: (message) => state.apply(message),
    connection: (connection) => state.connect(connection),
    refused: (code) => (code === 401 ? signedOut() : state.connect("refused")),
  });
  const search = el("input", {
    type: "search", id: "find", placeholder: "Number, agent, words", autocomplete: "off", oninput: () => state.onChange(),
  });
  const agent = el("select", { id: "agent", onchange: () => state.onChange() }, el("option", { value: "" }, "All agents"));
  const order = el("select", { id: "order", onchange: () => state.onChange() },
    ...ORDERS.map(([value, name]) => el("option", { value }, name)));
  const body = el("div", { role: "rowgroup", class: "rows", onkeydown: moveByArrow });
  const list = new KeyedList(body, (/** @type {CallRow} */ row) => row.id, (row) => line(row, state));
  const stats = SUMS.map(([name]) => ({ name, value: el("dd"), box: el("div") }));
  for (const { name, value, box } of stats) box.append(el("dt", {}, name), value);
  const nothing = el("p", { class: "nothing" });
  const away = el("p", { class: "banner", role: "alert", hidden: true });
  const table = el("div", { role: "table", class: "calls", "aria-label": "Live calls" },
    el("div", { role: "rowgroup" }, el("div", { role: "row", class: "call head" },
      ...["Speaking", "Caller", "Agent", "Last words", "Time", "Cost"].map((name) =>
        el("span", { role: "columnheader", class: `c-${name.split(" ")[0].toLowerCase()}` }, name)))),
    body);
  const node = el("div", { class: "live" },
    el("h1", { tabindex: "-1" }, "Live calls"),
    away,
    el("dl", { class: "sums" }, ...stats.map(({ box }) => box)),
    el("div", { class: "look", role: "search" },
      el("label", { for: "find", class: "unseen" }, "Find calls by number, agent or words"), search,
      el("label", { for: "agent", class: "unseen" }, "Agent"), agent,
      el("label", { for: "order", class: "unseen" }, "Order"), order),
    table, nothing);

  let agents = "";
  function update() {
    const now = state.now();
    const sum = sums(state.calls.values(), now);
    SUMS.forEach(([, of], n) => setText(stats[n].value, state.known ? of(sum) : "–"));
    setAttribute(stats[1].box, "class", sum.trouble ? "alarm" : null);
    const names = [...new Set([...state.agents, ...[...state.calls.values()].map((row) => row.agent)])].sort();
    if (agents !== names.join("\n")) {
      agents = names.join("\n");
      const chosen = agent.value;
      agent.replaceChildren(el("option", { value: "" }, "All agents"), ...names.map((name) => el("option", { value: name }, name)));
      agent.value = names.includes(chosen) ? chosen : "";
    }
    const look = { q: search.value, agent: agent.value, order: /** @type {Order} */ (order.value) };
    const found = rows(state.calls.values(), look);
    list.update(found.slice(0, MOST_ROWS));
    away.hidden = state.missing.size === 0;
    setText(away, awayText([...state.missing]));
    table.hidden = found.length === 0;
    nothing.hidden = found.length > 0 && found.length <= MOST_ROWS;
    setText(nothing, emptyText(state, found.length));
  }
  return { node, update, close: () => stream.close() };
}

/** @type {readonly (readonly [string, (sum: ReturnType<typeof sums>) => string])[]} */
const SUMS = [
  ["live", (sum) => count(sum.live)],
  ["in trouble", (sum) => count(sum.trouble)],
  ["running a tool", (sum) => count(sum.tools)],
  ["led by a person", (sum) => count(sum.led)],
  ["longest", (sum) => clock(sum.longestS)],
  ["cost so far", (sum) => money(sum.costUsd)],
];

/** Who speaks is known of a moment ago at best. */
const OUT_OF_SIGHT = { sign: "waiting", word: "out of sight" };

/** @param {import("../state/state.js").State} state @param {number} found */
function emptyText(state, found) {
  if (found > MOST_ROWS) return `${counted(found - MOST_ROWS, "more call")} not shown: search, or choose an agent.`;
  if (!state.known) return state.connection === "refused" ? "The runner refuses to show live calls." : "Loading…";
  return state.calls.size ? "No live call matches." : "There are no live calls.";
}

/** @param {string[]} missing */
function awayText(missing) {
  const does = missing.length === 1 ? "does" : "do";
  return `${listed(missing)} ${does} not answer: those calls go on, and are shown here as they last were, if at all.`;
}

/** @param {CallRow} first @param {import("../state/state.js").State} state */
function line(first, state) {
  const shape = sign("quiet");
  const word = el("span");
  const caller = el("a", { href: callPath(first.id) });
  const agent = el("span", { role: "cell", class: "c-agent" });
  const last = el("span", { class: "said" });
  const trouble = el("span", { class: "trouble", hidden: true });
  const time = el("span", { role: "cell", class: "c-time" });
  const spent = el("span");
  const bar = el("span", { class: "bar" });
  const meter = el("span", { class: "meter", "aria-hidden": "true" }, bar);
  const node = el("div", { role: "row", class: "call" },
    el("span", { role: "cell", class: "c-speaking" }, shape, word),
    el("span", { role: "cell", class: "c-caller" }, caller),
    agent,
    el("span", { role: "cell", class: "c-last" }, trouble, last),
    time,
    el("span", { role: "cell", class: "c-cost" }, spent, meter));
  /** @type {CallRow | null} */
  let shown = null;
  let shownMissing = false;
  let shownTime = -1;
  /** @param {CallRow} row */
  function update(row) {
    const seconds = Math.floor(state.now() - began(row));
    if (seconds !== shownTime) {
      shownTime = seconds;
      setText(time, clock(seconds));
    }
    const isMissing = state.missing.has(row.runner);
    if (row === shown && isMissing === shownMissing) return;
    shown = row;
    shownMissing = isMissing;
    const { sign: name, word: text } = isMissing ? OUT_OF_SIGHT : status(row);
    setAttribute(shape, "data-sign", name);
    setText(word, text);
    setText(caller, party(row.caller));
    setText(agent, row.agent);
    setText(last, row.led_by === null ? row.last_words ?? "" : `${row.led_by} leads. ${row.last_words ?? ""}`);
    setText(trouble, row.trouble ?? "");
    trouble.hidden = row.trouble === null;
    setAttribute(node, "data-trouble", row.trouble !== null);
    setText(spent, money(row.cost_usd));
    const part = row.max_cost_usd && row.cost_usd !== null ? Math.min(1, row.cost_usd / row.max_cost_usd) : null;
    meter.hidden = part === null;
    if (part !== null) bar.style.inlineSize = `${Math.round(part * 100)}%`;
    setAttribute(meter, "data-full", part !== null && part > 0.8);
  }
  return { node, update };
}

/** Up and down go from call to call. @param {KeyboardEvent} event */
function moveByArrow(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const row = event.target instanceof Element ? event.target.closest("[role=row]") : null;
  if (!step || !row) return;
  const next = /** @type {Element | null} */ (step === "nextElementSibling" ? row.nextElementSibling : row.previousElementSibling);
  const link = next?.querySelector("a");
  if (!link) return;
  event.preventDefault();
  link.focus();
}
