import assert from "node:assert/strict";
import { test } from "node:test";
import { conversation } from "../../../runner/console/format/conversation.js";
import { roundSteps } from "../../../runner/console/plots/scale.js";
import { placed, shown, silences, ticks } from "../../../runner/console/timeline/spans.js";

/** @param {any} who @param {number} from @param {number | null} to */
const span = (who, from, to) => ({ who, from, to, interrupted: false });

test("nobody speaks: neither between two nor under one who speaks longer, and a tool says nothing", () => {
  const spans = [span("agent", 0, 10), span("caller", 2, 4), span("tool", 10, 16), span("agent", 16, 17), span("caller", 19, null)];
  assert.deepEqual(silences(spans, 0, 30), [{ from: 10, to: 16 }]);
  assert.deepEqual(silences(spans, -5, 30)[0], { from: -5, to: 0 });
  assert.deepEqual(silences([span("agent", 0, 1)], 0, 9), [{ from: 1, to: 9 }]);
  assert.deepEqual(silences([span("agent", 0, 1)], 0, 3.4), []);
});

test("ticks are round and never so close that their labels meet", () => {
  assert.deepEqual(ticks({ from: 100, to: 160 }, 100, 400), [0, 10, 20, 30, 40, 50, 60]);
  for (let seconds = 1; seconds < 20_000; seconds = seconds * 1.3 + 1) {
    for (const width of [80, 300, 1200]) {
      const out = ticks({ from: 0, to: seconds }, 0, width);
      if (out.length > 1) assert.ok(((out[1] - out[0]) / seconds) * width >= 64, `${seconds} s on ${width} px`);
    }
  }
});

test("a part of the call is cut at the edges of what is shown", () => {
  assert.deepEqual(shown(0, 300, 120), { from: 180, to: 300 });
  assert.deepEqual(shown(0, 300, null), { from: 0, to: 300 });
  assert.deepEqual(shown(0, 3, 120), { from: 0, to: 20 });
  const view = { from: 100, to: 200 };
  assert.deepEqual(placed({ from: 50, to: 150 }, view, 200), { x: 0, width: 100 });
  assert.equal(placed({ from: 10, to: 20 }, view, 200), null);
  assert.equal(placed({ from: 110, to: 110 }, view, 200)?.width, 1.5);
});

test("an axis has round steps and holds the highest value", () => {
  assert.deepEqual(roundSteps(190), [0, 50, 100, 150, 200]);
  assert.deepEqual(roundSteps(4.5), [0, 2, 4, 6]);
  assert.deepEqual(roundSteps(0.3), [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(roundSteps(0), [0, 1]);
  assert.deepEqual(roundSteps(2, 1), [0, 1, 2]);
  assert.deepEqual(roundSteps(Number.NaN), [0, 1]);
});

/** @param {any} changes @returns {any} */
const call = (changes) => ({ turns: [], tools: [], spans: [], deeds: [], handoffs: [], created_at: 0, accepted_at: 0, ended_at: null, ended: "", detail: "", ...changes });

test("tool calls stand with the turn that caused them; without one they come first", () => {
  const entries = conversation(call({
    turns: [{ id: "a", at: 1 }, { id: "b", at: 5 }],
    tools: [{ call_id: "x", started_at: 0.5, turn: null }, { call_id: "y", started_at: 6, turn: "a" }, { call_id: "z", started_at: 7, turn: null }],
  }), 9);
  assert.deepEqual(entries.map((entry) => [entry.key, "tools" in entry ? entry.tools.map((tool) => tool.call_id) : []]),
    [["tools x", ["x"]], ["turn a", ["y"]], ["turn b", ["z"]]]);
});

test("turns keep their order whatever their times say, and the rest is put between them", () => {
  const entries = conversation(call({
    turns: [{ id: "a", at: 5 }, { id: "b", at: 2 }, { id: "c", at: 9 }], deeds: [{ id: "d", at: 7, by: "x", what: "note", given: {}, result: "done" }],
    handoffs: [{ agent: "e", because: "f", at: 8 }], spans: [span("agent", 0, 3), span("caller", 9, 10)], ended_at: 10, ended: "hangup",
  }), 99);
  assert.deepEqual(entries.map(({ key }) => key), ["silence 3", "turn a", "turn b", "deed d", "handoff 0", "turn c", "end"]);
});

test("what the caller said stands where they began, before the silence after it", () => {
  const entries = conversation(call({
    turns: [{ id: "a", role: "agent", at: 1 }, { id: "b", role: "caller", at: 8.1 }, { id: "c", role: "caller", at: 21 }, { id: "d", role: "caller", at: 21.5 }],
    spans: [span("agent", 1, 3), span("caller", 4, 8), span("caller", 20, null)],
  }), 22);
  assert.deepEqual(entries.map(({ key, at }) => [key, at]), [["turn a", 1], ["turn b", 4], ["silence 8", 8], ["turn c", 20], ["turn d", 21.5]]);
});
