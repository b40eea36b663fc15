import assert from "node:assert/strict";
import { test } from "node:test";
import { began, rows, status, sums } from "../../../runner/console/state/list.js";
import { fromRecord } from "../../../runner/console/state/record.js";
import { State } from "../../../runner/console/state/state.js";

/** @param {any} changes @returns {any} */
const row = (changes) => ({
  id: "a", agent: "front-desk", caller: "+14155550100", called: null, created_at: 10, accepted_at: 11, phase: "talking",
  speaking: "nobody", tools_running: 0, led_by: null, trouble: null, cost_usd: 0.1, max_cost_usd: null, last_words: "Hello", ...changes,
});
/** @param {any} changes @returns {any} */
const turn = (changes) => ({ id: "t1", after: null, role: "caller", text: "Hello", at: 1, heard_ms: null, waited_s: null, is_whole: true, ...changes });

/** @param {...[string, any]} events */
function after(...events) {
  const state = new State(() => 100);
  for (const [event, data] of events) state.apply({ event, data: JSON.stringify(data), id: null });
  return state;
}

/** @param {any} [changes] */
const call = (changes) => ({ call: { turns: [], tools: [], spans: [], deeds: [], handoffs: [], floor: {}, ...changes }, now: 130 });

test("a snapshot replaces what was known, rows replace rows, and what is gone is gone", () => {
  const state = after(
    ["snapshot", { now: 130, agents: ["front-desk"], calls: [row({}), row({ id: "b" })] }],
    ["calls", { now: 130, calls: [row({ id: "b", cost_usd: 2 }), row({ id: "c" })] }],
    ["gone", { now: 130, id: "a" }],
  );
  assert.deepEqual([...state.calls.values()].map(({ id, cost_usd }) => [id, cost_usd]), [["b", 2], ["c", 0.1]]);
  assert.equal(state.now(), 130);
  assert.equal(after(["snapshot", { now: 1, calls: [row({})] }], ["snapshot", { now: 1, calls: [] }]).calls.size, 0);
});

test("runners that cannot be reached are known until they can be again", () => {
  const state = after(["snapshot", { now: 1, calls: [], missing: ["host-2"] }]);
  assert.deepEqual([...state.missing], ["host-2"]);
  state.apply({ event: "runners", data: JSON.stringify({ now: 2, runners: [], missing: [] }), id: null });
  assert.equal(state.missing.size, 0);
});

test("words make a turn grow, and the whole turn takes their place", () => {
  const state = after(["snapshot", call()], ["words", { id: "t1", role: "agent", text: "Good", at: 5 }], ["words", { id: "t1", role: "agent", text: " morn", at: 5 }]);
  assert.equal(state.call?.turns[0].text, "Good morn");
  state.apply({ event: "turn", data: JSON.stringify(turn({ text: "Good morning" })), id: null });
  assert.deepEqual(state.call?.turns.map(({ text }) => text), ["Good morning"]);
});

test("a turn that comes late stands after the one that it follows", () => {
  const state = after(["snapshot", call({ turns: [turn({ id: "t1" }), turn({ id: "t3", after: "t2" })] })], ["turn", turn({ id: "t2", after: "t1" })]);
  assert.deepEqual(state.call?.turns.map(({ id }) => id), ["t1", "t2", "t3"]);
});

test("a problem is shown for as long as the call has it", () => {
  const state = after(["snapshot", call({ trouble: "the sideband is lost" })], ["floor", { at: 1, trouble: null }]);
  assert.equal(state.call?.trouble, null);
  state.apply({ event: "floor", data: JSON.stringify({ at: 2, trouble: "find_order failed" }), id: null });
  assert.equal(state.call?.trouble, "find_order failed");
});

test("tools, deeds and spans replace their own kind", () => {
  const state = after(
    ["snapshot", call()],
    ["tool", { call_id: "c", status: "running" }], ["tool", { call_id: "c", status: "ok" }],
    ["deed", { id: "d", result: "waiting" }], ["deed", { id: "d", result: "heard" }],
    ["floor", { at: 1, caller: true, spans: [{ who: "caller", from: 1, to: null }] }],
    ["floor", { at: 2, caller: false, spans: [{ who: "caller", from: 1, to: 2 }, { who: "agent", from: 1, to: null }] }],
    ["limits", { cost_usd: 0.7 }],
  );
  assert.deepEqual(state.call?.tools.map(({ status }) => status), ["ok"]);
  assert.deepEqual(state.call?.deeds.map(({ result }) => result), ["heard"]);
  assert.deepEqual(state.call?.spans.map(({ who, to }) => [who, to]), [["caller", 2], ["agent", null]]);
  assert.equal(state.call?.cost_usd, 0.7);
});

test("a hand-off is kept, a change of variables is not one", () => {
  const state = after(["snapshot", call()], ["agent", { agent: "billing", because: "tool", at: 4, vars: {}, choices: null }], ["agent", { agent: "billing", because: "", at: 5, vars: { a: 1 }, choices: null }]);
  assert.deepEqual(state.call?.handoffs, [{ agent: "billing", because: "tool", at: 4 }]);
  assert.deepEqual(state.call?.vars, { a: 1 });
});

test("an end closes what was open", () => {
  const state = after(["snapshot", call({ spans: [{ who: "caller", from: 1, to: null }] })], ["ended", { id: "a", ended: "hangup", detail: "", ended_at: 9 }]);
  assert.equal(state.call?.spans[0].to, 9);
  assert.equal(state.call?.floor?.phase, "over");
});

test("an event that is not known, and one of a call that is not read, change nothing", () => {
  const state = after(["weather", { is: "fine" }], ["turn", turn({})]);
  assert.equal(state.call, null);
});

test("each phase and speaker has a sign and a word", () => {
  for (const [changes, word] of /** @type {[any, string][]} */ ([
    [{ phase: "ringing" }, "ringing"], [{ phase: "connecting" }, "connecting"], [{ phase: "transferring" }, "transferring"],
    [{ phase: "leaving" }, "ending"], [{ phase: "over" }, "over"], [{ speaking: "caller" }, "caller"], [{ speaking: "both" }, "both"],
    [{ speaking: "agent" }, "agent"], [{ speaking: "agent", led_by: "pager" }, "person"], [{ tools_running: 1 }, "tool runs"], [{}, "quiet"],
  ])) assert.equal(status(row(changes)).word, word);
});

test("calls are found by number as it is shown, agent, words and trouble", () => {
  const all = [row({ id: "a" }), row({ id: "b", caller: null, last_words: "Where is my ORDER", agent: "order-line" }), row({ id: "c", caller: "+34912345678", trouble: "a tool failed" })];
  for (const [q, ids] of /** @type {[string, string[]][]} */ ([
    ["", ["a", "b", "c"]], ["+1 415 555", ["a"]], ["(415) 555", ["a"]], ["my order", ["b"]], ["failed", ["c"]], ["912345", ["c"]], ["nothing", []],
  ])) assert.deepEqual(rows(all, { q, agent: "", order: "newest" }).map(({ id }) => id).sort(), ids, q);
  assert.deepEqual(rows(all, { q: "", agent: "order-line", order: "newest" }).map(({ id }) => id), ["b"]);
});

test("rows are in the order asked for, and equal ones do not jump", () => {
  const all = [row({ id: "a", created_at: 1, accepted_at: 5, cost_usd: 0.11 }), row({ id: "b", created_at: 2, accepted_at: 3, cost_usd: 0.13 }), row({ id: "c", created_at: 3, accepted_at: 9, cost_usd: 3, trouble: "x" })];
  const ids = (/** @type {any} */ order) => rows(all, { q: "", agent: "", order }).map(({ id }) => id).join("");
  assert.equal(ids("newest"), "cba");
  assert.equal(ids("longest"), "bac");
  assert.equal(ids("cost"), "cba");
  assert.equal(ids("trouble"), "cba");
});

test("sums are of all calls, and an unknown price is left out", () => {
  const sum = sums([row({ trouble: "x", cost_usd: null }), row({ id: "b", accepted_at: 1, tools_running: 2, led_by: "p", phase: "transferring" })], 100);
  assert.deepEqual(sum, { live: 2, tools: 1, led: 1, trouble: 1, transferring: 1, longestS: 99, costUsd: 0.1 });
  assert.equal(began(row({ accepted_at: null })), 10);
});

test("a record of an older runner has a page too", () => {
  const call = fromRecord({ id: "a", turns: [{ role: "caller", text: "Hi", at: 1 }, { role: "agent", at: 2 }], tools: [{ call_id: "c", name: "find", attempts: 2 }] });
  assert.deepEqual(call.turns.map(({ id, after, is_whole, text }) => [id, after, is_whole, text]), [["turn-0", null, true, "Hi"], ["turn-1", "turn-0", true, null]]);
  assert.deepEqual(call.tools[0].attempts, []);
  assert.equal(call.floor, null);
});
