/** What the console knows: one Map of live calls, the call that is being read, and how the stream is doing.
 *
 * Events of the stream are applied here and nowhere else. Knows no page: whoever shows it listens to `onChange`.
 */

/** @typedef {import("../wire.js").Call} Call */
/** @typedef {import("../wire.js").CallRow} CallRow */
/** @typedef {import("../wire.js").Turn} Turn */
/** @typedef {import("../stream/sse.js").Message} Message */
/** @typedef {"none" | "connecting" | "connected" | "reconnecting" | "refused"} Connection */

export class State {
  /** @type {Map<string, CallRow>} */
  calls = new Map();
  /** Agents of the configuration, for choosing. @type {string[]} */
  agents = [];
  /** Runners that cannot be reached: rows of their calls are as they last were. @type {Set<string>} */
  missing = new Set();
  /** The call of the open page. @type {Call | null} */
  call = null;
  /** @type {Connection} */
  connection = "none";
  /** True once a snapshot has come: an empty list is news then, and ignorance before. */
  known = false;
  /** Seconds that the runner's clock is ahead of this computer's. */
  aheadS = 0;
  /** @type {() => void} */
  onChange = () => {};
  #clock;

  /** @param {() => number} clock this computer's, in seconds */
  constructor(clock = () => Date.now() / 1000) {
    this.#clock = clock;
  }

  /** The runner's time. */
  now() {
    return this.#clock() + this.aheadS;
  }

  /** @param {Connection} connection */
  connect(connection) {
    if (this.connection === connection) return;
    this.connection = connection;
    this.onChange();
  }

  /** Forget what one page has read, for the next one. */
  leave() {
    this.calls = new Map();
    this.missing = new Set();
    this.call = null;
    this.known = false;
    this.connection = "none";
  }

  /** @param {Call} call */
  read(call) {
    this.call = call;
    this.onChange();
  }

  /**
   * The one place where news arrive. An event that this console does not know changes nothing: a newer runner may
   * send more.
   * @param {Message} message
   */
  apply(message) {
    const change = CHANGES[message.event];
    if (!change) return;
    const data = JSON.parse(message.data);
    if (typeof data.now === "number") this.aheadS = data.now - this.#clock();
    change(this, data);
    this.onChange();
  }
}

/** @type {Record<string, (state: State, data: any) => void>} */
const CHANGES = {
  snapshot(state, data) {
    state.known = true;
    if (data.agents) state.agents = data.agents;
    if (data.calls) state.calls = new Map(data.calls.map((/** @type {CallRow} */ row) => [row.id, row]));
    if (data.missing) state.missing = new Set(data.missing);
    if (data.call) state.call = data.call;
  },
  runners(state, data) {
    state.missing = new Set(data.missing);
  },
  calls(state, data) {
    for (const row of data.calls) state.calls.set(row.id, row);
  },
  gone(state, data) {
    state.calls.delete(data.id);
  },
  turn: ofCall((call, turn) => putTurn(call.turns, turn)),
  words: ofCall((call, words) => {
    const turn = call.turns.findLast((one) => one.id === words.id);
    if (turn) turn.text = (turn.text ?? "") + words.text;
    else call.turns.push({ ...words, after: null, heard_ms: null, waited_s: null, is_whole: false });
  }),
  tool: ofCall((call, tool) => put(call.tools, tool, (a) => a.call_id === tool.call_id)),
  floor: ofCall((call, { spans, now: _, ...floor }) => {
    call.floor = floor;
    call.trouble = floor.trouble;
    for (const span of spans ?? []) put(call.spans, span, (a) => a.who === span.who && a.from === span.from);
  }),
  limits: ofCall((call, limits) => {
    call.limits = limits;
    call.cost_usd = limits.cost_usd;
  }),
  agent: ofCall((call, change) => {
    if (change.because) call.handoffs.push({ agent: change.agent, because: change.because, at: change.at });
    Object.assign(call, { agent: change.agent, vars: change.vars, choices: change.choices });
  }),
  deed: ofCall((call, deed) => put(call.deeds, deed, (a) => a.id === deed.id)),
  ended: ofCall((call, end) => {
    Object.assign(call, { ended: end.ended, detail: end.detail, ended_at: end.ended_at });
    for (const span of call.spans) span.to ??= end.ended_at;
    if (call.floor) Object.assign(call.floor, { phase: "over", caller: false, agent: false, tools: 0, led_by: null });
  }),
};

/**
 * What is said of the call that is being read; news of another, or of none, change nothing.
 * @param {(call: Call, data: any) => void} change
 * @returns {(state: State, data: any) => void}
 */
function ofCall(change) {
  return (state, data) => {
    if (state.call) change(state.call, data);
  };
}

/**
 * In place of the one that it replaces, or at the end. Most news are of the last ones.
 * @template T
 * @param {T[]} things
 * @param {T} thing
 * @param {(other: T) => boolean} isSame
 */
function put(things, thing, isSame) {
  const at = things.findLastIndex(isSame);
  if (at < 0) things.push(thing);
  else things[at] = thing;
}

/**
 * A turn stands after the one that it names: what the caller said is often transcribed after the answer to it began.
 * @param {Turn[]} turns
 * @param {Turn} turn
 */
function putTurn(turns, turn) {
  const old = turns.findLastIndex((other) => other.id === turn.id);
  if (old >= 0) turns.splice(old, 1);
  const before = turns.findLastIndex((other) => other.id === turn.after);
  if (before >= 0) turns.splice(before + 1, 0, turn);
  else if (old >= 0) turns.splice(old, 0, turn);
  else turns.push(turn);
}
