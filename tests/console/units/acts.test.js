import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { ACTS, RENEW_AFTER_S, act, body, outcome, sentence, takes } from "../../../runner/console/acts/acts.js";
import { Lease } from "../../../runner/console/acts/lease.js";
import { newKey, send } from "../../../runner/console/acts/request.js";
import { adminPath, query } from "../../../runner/console/api.js";
import { callPath, place } from "../../../runner/console/paths.js";

test("each act's form becomes the body of its request", () => {
  for (const [name, form, made] of /** @type {[any, any, any][]} */ ([
    ["say", { say: " Hello ", when: "now" }, { say: "Hello", when: "now" }],
    ["tell", { tell: "x", speak: false }, { tell: "x", speak: false }],
    ["hush", {}, {}],
    ["vars", { name: "a", value: "3" }, { set: { a: 3 } }],
    ["vars", { name: "a", value: "three " }, { set: { a: "three" } }],
    ["instructions", { how: "replace", text: "x" }, { replace: "x" }],
    ["handoff", { agent: "b", speak: true }, { agent: "b", speak: true }],
    ["transfer", { to: "+1", say: " " }, { to: "+1" }],
    ["hangup", { say: "Bye" }, { say: "Bye" }],
    ["take-over", {}, { for_s: 60 }],
    ["give-back", { speak: true }, { speak: true }],
    ["note", { text: "x" }, { text: "x" }],
  ])) assert.deepEqual(body(name, form), made);
  assert.equal(new Set(ACTS.map(({ name }) => name)).size, 11);
  assert.deepEqual(ACTS.filter(({ irreversible }) => irreversible).map(({ name }) => name), ["transfer", "hangup"]);
  assert.equal(act("hush").button, "Hush");
});

/** @param {any} changes @returns {any} */
const deed = (changes) => ({ id: "1", by: "pager", what: "note", given: {}, at: 0, result: "done", detail: "", settled_at: null, ...changes });

test("each deed is told in a sentence, and each result in a word", () => {
  for (const [what, given, told] of /** @type {[string, any, string][]} */ ([
    ["say", { say: "Hi" }, "said “Hi”"], ["vars", { set: { a: 1, b: "c" } }, "set a = 1, b = \"c\""], ["vars", { set: null }, "set a variable"],
    ["instructions", { add: "x" }, "added instructions “x”"], ["instructions", { replace: "x" }, "replaced the instructions with “x”"],
    ["hangup", {}, "hung up"], ["take-over", {}, "took over"], ["dance", {}, "dance"],
  ])) assert.equal(sentence(deed({ what, given })), told);
  assert.deepEqual(outcome("waiting"), { word: "under way", tone: "waiting" });
  assert.deepEqual(outcome("not_completed"), { word: "not completed", tone: "bad" });
  assert.deepEqual(outcome("half_done"), { word: "half done", tone: "mixed" });
});

test("a lease is renewed while we lead, and dropped when somebody else does or the call is over", () => {
  /** @param {string | null} leader @param {number | null} [ended] @returns {any} */
  const call = (leader, ended = null) => ({ floor: { led_by: leader }, ended_at: ended });
  const lease = new Lease();
  assert.equal(lease.isDue(call("me"), "me", 99), false);
  lease.take(0);
  assert.equal(lease.isDue(call(null), "me", 4), false);
  assert.equal(lease.isHeld, true);
  assert.equal(lease.isDue(call("me"), "me", RENEW_AFTER_S - 1), false);
  assert.equal(lease.isDue(call("me"), "me", RENEW_AFTER_S), true);
  assert.equal(lease.isDue(call("other"), "me", 21), false);
  assert.equal(lease.isHeld, false);
  lease.take(0);
  assert.equal(lease.isDue(call("me", 30), "me", 30), false);
  assert.equal(lease.isHeld, false);
});

test("what the machine would refuse where the call stands is not offered", () => {
  const taken = (/** @type {any} */ phase) => ACTS.filter(({ name }) => takes(phase, name)).length;
  assert.deepEqual(["ringing", "connecting", "talking", "transferring", "leaving", "over"].map(taken), [0, 3, 11, 6, 6, 0]);
  assert.ok(takes("leaving", "hangup") && !takes("leaving", "say"));
});

test("what is not done yet, or was not done, is told as a wish", () => {
  for (const [result, told] of Object.entries({
    waiting: "wants to transfer to returns", not_completed: "wanted to transfer to returns", refused: "wanted to transfer to returns",
    completed: "transferred to returns",
  })) assert.equal(sentence(deed({ what: "transfer", given: { to: "returns" }, result })), told);
});

test("an act whose answer is lost is asked for again under its id, a refused one is not", async () => {
  /** @type {string[]} */
  const asked = [];
  const server = createServer((request, reply) => {
    asked.push(`${request.url} ${request.headers["idempotency-key"]}`);
    if (request.url?.includes("refused")) {
      reply.writeHead(409, { "content-type": "application/problem+json" });
      reply.end(JSON.stringify({ detail: "the call is leaving" }));
    } else if (asked.length === 1) request.socket.destroy();
    else if (asked.length === 2) reply.writeHead(502).end();
    else reply.writeHead(202, { "content-type": "application/json" }).end("{\"deed\": \"k\", \"result\": \"waiting\"}");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const real = globalThis.fetch;
  globalThis.fetch = (path, request) => real(new URL(String(path), `http://127.0.0.1:${port}`), request);
  try {
    assert.deepEqual(await send("a/b", "say", { say: "x" }, "k", async () => {}), { deed: "k", result: "waiting" });
    assert.deepEqual(asked, Array(3).fill("/admin/calls/a%2Fb/say k"));
    await assert.rejects(send("refused", "say", {}, "k", async () => {}), { message: "the call is leaving", status: 409 });
    assert.equal(asked.length, 4);
  } finally {
    globalThis.fetch = real;
    server.close();
    server.closeAllConnections();
  }
});

test("keys are new each time, and fit what the API takes", () => {
  assert.match(newKey(), /^[a-z0-9]{32}$/);
  assert.notEqual(newKey(), newKey());
});

test("paths and queries are encoded, and lead back", () => {
  assert.equal(adminPath("records", "a/b?c"), "/admin/records/a%2Fb%3Fc");
  assert.equal(query({ q: "a b", agent: "", limit: 3, to: null }), "?q=a+b&limit=3");
  assert.equal(query({}), "");
  assert.deepEqual(place(callPath("a/b ü")), { page: "call", id: "a/b ü" });
  for (const path of ["/console/", "/console"]) assert.deepEqual(place(path), { page: "live" });
  assert.equal(place("/console/day", "?date=x").page, "day");
  for (const path of ["/console/calls/", "/console/calls/a/b", "/console/x", "/console/calls"]) assert.equal(place(path).page, "unknown", path);
  assert.deepEqual(place("/console/calls/%"), { page: "call", id: "%" });
});
