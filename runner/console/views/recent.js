/** Ended calls: search, read, export. */

import { Refusal, get, query } from "../api.js";
import { startOf } from "../format/days.js";
import { ENDS, endedWord, ending } from "../format/ends.js";
import { clock, dayAndTime, money, party } from "../format/format.js";
import { ROOT, callPath } from "../paths.js";
import { el, setText } from "./dom.js";

/** @typedef {import("../wire.js").RecordSummary} RecordSummary */
/** @typedef {import("../main.js").Console} Console */

const COLUMNS = ["Began", "Caller", "Agent", "Ended", "Time", "Cost"];

/**
 * The search stands in the address, so that it can be shared and gone back to.
 * @param {Console} use
 * @param {URLSearchParams} look
 * @returns {import("../main.js").Page}
 */
export function recentPage(use, look) {
  use.entitle("Recent calls");
  const page = new AbortController();
  const value = (/** @type {string} */ name) => look.get(name) ?? "";
  const sought = {
    q: value("q"), agent: value("agent"), ended: endedWord(value("ended")),
    from: startOf(value("from"))?.toISOString(), to: startOf(value("to"), 1)?.toISOString(),
  };
  const form = el("form", { class: "search", role: "search", onsubmit: search },
    field("Words or number", el("input", { type: "search", name: "q", value: value("q"), autocomplete: "off" }), "grow"),
    field("Agent", el("input", { name: "agent", value: value("agent"), autocomplete: "off" })),
    field("Ended", el("input", { name: "ended", value: value("ended"), autocomplete: "off", list: "ends" })),
    el("datalist", { id: "ends" }, ...ENDS.map((word) => el("option", { value: ending(word) }))),
    field("From", el("input", { type: "date", name: "from", value: value("from") })),
    field("To", el("input", { type: "date", name: "to", value: value("to") })),
    el("button", { type: "submit", class: "primary" }, "Search"));
  const rows = el("div", { role: "rowgroup", class: "rows" });
  const table = el("div", { role: "table", class: "records", "aria-label": "Ended calls", hidden: true },
    el("div", { role: "rowgroup" }, el("div", { role: "row", class: "record head" },
      ...COLUMNS.map((name) => el("span", { role: "columnheader", class: `c-${name.toLowerCase()}` }, name)))),
    rows);
  const told = el("p", { class: "nothing", role: "status" }, "Loading…");
  const older = el("button", { type: "button", class: "older", hidden: true }, "Older calls");
  const exports = el("p", { class: "exports" }, "Export the newest 1,000 ",
    ...["csv", "ndjson"].map((format) => el("a", {
      class: "button", download: `calls.${format}`, href: `/admin/records${query({ ...sought, limit: 1000, format })}`,
    }, format.toUpperCase())));
  const node = el("div", { class: "recent" }, el("div", { class: "page-head" }, el("h1", { tabindex: "-1" }, "Recent calls"), exports),
    form, table, told, older);

  /** @param {Event} event */
  function search(event) {
    event.preventDefault();
    const data = new FormData(form);
    use.go(`${ROOT}recent${query(Object.fromEntries([...data].map(([name, text]) => [name, String(text).trim()])))}`);
  }

  /** @param {string | null} cursor */
  async function load(cursor) {
    try {
      const { records, next } = await get(`/admin/records${query({ ...sought, cursor })}`, page.signal);
      rows.append(...records.map(line));
      table.hidden = rows.childElementCount === 0;
      setText(told, table.hidden ? "No call matches." : "");
      told.hidden = !table.hidden;
      older.hidden = next === null;
      older.onclick = () => load(next);
    } catch (error) {
      if (page.signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401) return use.signedOut();
      told.hidden = false;
      setText(told, error.message);
    }
  }

  load(null);
  return { node, update() {}, close: () => page.abort() };
}

/** @param {RecordSummary} call */
function line(call) {
  const cells = [
    dayAndTime(call.started_at), el("a", { href: callPath(call.id) }, party(call.caller)), call.agent, ending(call.ended),
    call.ended_at === null ? "" : clock(call.ended_at - call.started_at), money(call.cost_usd),
  ];
  return el("div", { role: "row", class: "record" },
    ...cells.map((cell, n) => el("span", { role: "cell", class: `c-${COLUMNS[n].toLowerCase()}` }, cell)));
}

/** @param {string} name @param {HTMLInputElement} input @param {string} [shape] */
function field(name, input, shape = "") {
  return el("label", { class: `field ${shape}` }, el("span", {}, name), input);
}
