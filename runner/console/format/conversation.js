/** A call as one list in the order of its events, for reading. Pure. */

import { silences } from "../timeline/spans.js";

/** @typedef {import("../wire.js").Call} Call */
/** @typedef {import("../wire.js").Turn} Turn */
/** @typedef {import("../wire.js").Tool} Tool */
/** @typedef {import("../wire.js").Deed} Deed */
/** @typedef {import("../wire.js").AgentChange} AgentChange */

/**
 * @typedef {{kind: "turn", key: string, at: number, turn: Turn, tools: Tool[]}
 *   | {kind: "tools", key: string, at: number, tools: Tool[]}
 *   | {kind: "silence", key: string, at: number, seconds: number}
 *   | {kind: "deed", key: string, at: number, deed: Deed}
 *   | {kind: "handoff", key: string, at: number, handoff: AgentChange}
 *   | {kind: "end", key: string, at: number, ended: string, detail: string}} Entry
 */

/**
 * Tool calls stand with the turn that caused them, the last one before them. A silence that still lasts is told too.
 * @param {Call} call
 * @param {number} now
 * @returns {Entry[]}
 */
export function conversation(call, now) {
  // Turns keep the order that the API gave them, also where the time of one says otherwise.
  let latest = 0;
  const began = beginnings(call);
  /** @type {Entry[]} */
  const entries = call.turns.map((turn) => {
    latest = Math.max(latest, began(turn));
    return { kind: "turn", key: `turn ${turn.id}`, at: latest, turn, tools: [] };
  });
  for (const deed of call.deeds) entries.push({ kind: "deed", key: `deed ${deed.id}`, at: deed.at, deed });
  for (const [n, handoff] of call.handoffs.entries()) {
    entries.push({ kind: "handoff", key: `handoff ${n}`, at: handoff.at, handoff });
  }
  entries.push(...quiet(call, now));
  if (call.ended_at !== null) {
    entries.push({ kind: "end", key: "end", at: call.ended_at, ended: call.ended, detail: call.detail });
  }
  entries.sort((a, b) => a.at - b.at);
  for (const tool of call.tools) {
    const turn = entries.find((entry) => entry.kind === "turn" && tool.turn !== null && entry.turn.id === tool.turn)
      ?? entries.findLast((entry) => entry.kind === "turn" && entry.at <= tool.started_at);
    if (turn?.kind === "turn") turn.tools.push(tool);
    else entries.unshift({ kind: "tools", key: `tools ${tool.call_id}`, at: tool.started_at, tools: [tool] });
  }
  return entries;
}

/**
 * When a turn began. The API names a caller's turn once they have spoken: it stands where they began, before the
 * silence that follows.
 * @param {Call} call
 */
function beginnings(call) {
  const spoken = call.spans.filter((span) => span.who === "caller");
  return (/** @type {Turn} */ turn) => {
    if (turn.role !== "caller") return turn.at;
    const at = spoken.findLastIndex((span) => span.from <= turn.at);
    return at < 0 ? turn.at : spoken.splice(at, 1)[0].from;
  };
}

/** @param {Call} call @param {number} now @returns {Entry[]} */
function quiet(call, now) {
  if (call.spans.length === 0) return [];
  return silences(call.spans, call.spans[0].from, call.ended_at ?? now)
    .map(({ from, to }) => ({ kind: "silence", key: `silence ${from}`, at: from, seconds: to - from }));
}
