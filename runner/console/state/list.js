/** The list of live calls as it is looked at: what stands in it, in which order, and what it comes to. Pure. */

/** @typedef {import("../wire.js").CallRow} CallRow */
/** @typedef {"newest" | "longest" | "cost" | "trouble"} Order */

/** @type {readonly (readonly [Order, string])[]} */
export const ORDERS = [
  ["trouble", "With problems first"],
  ["newest", "Newest first"],
  ["longest", "Longest first"],
  ["cost", "Most expensive first"],
];

/** When the conversation began, or the ringing while it has not. @param {{accepted_at: number | null, created_at: number}} call */
export function began(call) {
  return call.accepted_at ?? call.created_at;
}

/**
 * The rows that fit, in order. Ties are broken by the time of the ring, then by id, so that no row jumps.
 * @param {Iterable<CallRow>} rows
 * @param {{q: string, agent: string, order: Order}} look
 */
export function rows(rows, { q, agent, order }) {
  const sought = q.trim().toLowerCase();
  const digits = sought.replace(/[\s().-]/g, "");
  const found = [...rows].filter((row) => (!agent || row.agent === agent) && (!sought || fits(row, sought, digits)));
  return found.sort((a, b) => RANKS[order](a, b) || b.created_at - a.created_at || (a.id < b.id ? -1 : 1));
}

/** @type {Record<Order, (a: CallRow, b: CallRow) => number>} */
const RANKS = {
  trouble: (a, b) => Number(b.trouble !== null) - Number(a.trouble !== null),
  newest: () => 0,
  longest: (a, b) => began(a) - began(b),
  cost: (a, b) => Math.round(((b.cost_usd ?? -1) - (a.cost_usd ?? -1)) * 10), // by ten cents: rows stay where they are
};

/** @param {CallRow} row @param {string} sought @param {string} digits as typed with blanks, as numbers are shown */
function fits(row, sought, digits) {
  const numbers = `${row.caller ?? ""} ${row.called ?? ""}`.toLowerCase();
  if (numbers.includes(sought) || (/^\+?\d{2,}$/.test(digits) && numbers.includes(digits))) return true;
  return [row.agent, row.last_words, row.trouble, row.led_by, row.id].some((text) => text?.toLowerCase().includes(sought));
}

/**
 * What all live calls come to.
 * @param {Iterable<CallRow>} rows
 * @param {number} now
 */
export function sums(rows, now) {
  const sum = { live: 0, tools: 0, led: 0, trouble: 0, transferring: 0, longestS: 0, costUsd: 0 };
  for (const row of rows) {
    sum.live += 1;
    sum.tools += Number(row.tools_running > 0);
    sum.led += Number(row.led_by !== null);
    sum.trouble += Number(row.trouble !== null);
    sum.transferring += Number(row.phase === "transferring");
    sum.longestS = Math.max(sum.longestS, now - began(row));
    sum.costUsd += row.cost_usd ?? 0;
  }
  return sum;
}

/**
 * Who is speaking, or what else goes on, as a sign and a word.
 * @param {Pick<CallRow, "phase" | "speaking" | "tools_running" | "led_by">} row
 * @returns {{sign: string, word: string}}
 */
export function status(row) {
  switch (row.phase) {
    case "ringing": return { sign: "waiting", word: "ringing" };
    case "connecting": return { sign: "waiting", word: "connecting" };
    case "transferring": return { sign: "waiting", word: "transferring" };
    case "leaving": return { sign: "waiting", word: "ending" };
    case "over": return { sign: "quiet", word: "over" };
    default:
  }
  switch (row.speaking) {
    case "caller": return { sign: "caller", word: "caller" };
    case "both": return { sign: "caller", word: "both" };
    case "agent": return row.led_by === null ? { sign: "agent", word: "agent" } : { sign: "person", word: "person" };
    default: return row.tools_running > 0 ? { sign: "tool", word: "tool runs" } : { sign: "quiet", word: "quiet" };
  }
}
