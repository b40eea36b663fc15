/** A call from its record alone, in the form that a live one has. Pure. */

/** @typedef {import("../wire.js").Call} Call */
/** @typedef {import("../wire.js").Json} Json */

/**
 * A record of an older runner may lack what came later; its page then shows less.
 * @param {any} record
 * @returns {Call}
 */
export function fromRecord(record) {
  /** @param {Json} _turn @param {number} n */
  const id = (_turn, n) => `turn-${n}`;
  const turns = (record.turns ?? []).map((/** @type {any} */ turn, /** @type {number} */ n) => ({
    heard_ms: null, waited_s: null, text: null, ...turn,
    id: id(turn, n), after: n ? id(turn, n - 1) : null, is_whole: true,
  }));
  const tools = (record.tools ?? []).map((/** @type {any} */ tool) => ({
    reply: null, error: null, http_status: null, turn: null, ...tool,
    attempts: Array.isArray(tool.attempts) ? tool.attempts : [],
  }));
  return {
    id: record.id,
    agent: record.agent ?? "",
    caller: record.caller ?? null,
    called: record.called ?? null,
    called_found_in: record.called_found_in ?? "",
    transport: record.transport ?? "",
    created_at: record.created_at ?? 0,
    accepted_at: record.accepted_at ?? null,
    attached_at: record.attached_at ?? null,
    ended_at: record.ended_at ?? null,
    ended: record.ended ?? "",
    detail: record.detail ?? "",
    route: record.route ?? null,
    why: record.why ?? "",
    lookup_s: record.lookup_s ?? null,
    turns,
    tools,
    handoffs: record.handoffs ?? [],
    spans: record.spans ?? [],
    deeds: record.deeds ?? [],
    faults: record.faults ?? [],
    model: record.model ?? "",
    served_by: record.served_by ?? null,
    cost_usd: record.cost_usd ?? null,
    trouble: null,
    floor: null,
    limits: null,
    vars: null,
    choices: null,
    runner: null,
    shows_words: true,
  };
}
