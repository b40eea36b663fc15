/** One call: live, followed to its end; or over, from its record alone. The page is the same. */

import { Refusal, adminPath, get } from "../api.js";
import { ending } from "../format/ends.js";
import { clock, dayAndTime, money, party } from "../format/format.js";
import { ROOT } from "../paths.js";
import { began, status } from "../state/list.js";
import { fromRecord } from "../state/record.js";
import { Stream } from "../stream/stream.js";
import { Timeline } from "../timeline/timeline.js";
import { Acts } from "./acts.js";
import { Conversation } from "./conversation.js";
import { el, setAttribute, setText, sign } from "./dom.js";
import { Limits, Why } from "./facts.js";
import { openTest } from "./test_dialog.js";

/** @typedef {import("../wire.js").Call} Call */
/** @typedef {import("../main.js").Console} Console */

/** A call that is between two runners is found a moment later, or within half a minute. */
const PATIENCE_MS = 3000;
const NO_ANSWER = "The runner that serves this call does not respond. The call continues, and is shown again as soon as a runner serves it.";
/** A record is written a moment after the end. */
const RECORD_AFTER_MS = [300, 700, 1500, 3000, 6000];

/** @param {Console} use @param {string} id @returns {import("../main.js").Page} */
export function callPage(use, id) {
  const { state, entitle } = use;
  const page = new AbortController();
  const acts = new Acts(use, id);
  const limits = new Limits();
  const why = new Why();
  const talk = new Conversation();
  const timeline = new Timeline(() => state.onChange());
  const number = el("h1", { tabindex: "-1" }, "Call");
  const shape = sign("quiet");
  const word = el("span");
  const facts = el("p", { class: "facts" });
  const time = el("p", { class: "big-clock" });
  const cost = el("p", { class: "big-cost" });
  const trouble = el("p", { class: "banner", role: "alert", hidden: true });
  const missing = el("p", { class: "nothing", hidden: true });
  const back = el("a", { class: "back", href: ROOT }, "Live calls");
  const after = el("div", { class: "after", hidden: true },
    el("button", { type: "button", class: "primary", onclick: () => openTest(id) }, "Make a test of this call"),
    el("a", { class: "button", href: adminPath("records", id), download: `${id}.json` }, "Export JSON"));
  const content = el("div", { class: "call-content", hidden: true },
    el("section", { class: "lanes", "aria-labelledby": "lanes" }, el("h2", { id: "lanes", class: "unseen" }, "Timeline"), timeline.node),
    el("div", { class: "columns" }, talk.node, el("div", { class: "side" }, acts.node, limits.node, acts.history, why.node)));
  const node = el("div", { class: "one-call" },
    el("div", { class: "call-head" }, back,
      el("div", { class: "call-name" }, number, el("p", { class: "status" }, shape, word), facts),
      el("div", { class: "call-sums" }, time, cost), after),
    trouble, missing, content);

  const stream = new Stream(`/admin/events?call=${encodeURIComponent(id)}`, {
    message(message) {
      state.apply(message);
      if (message.event === "ended") over();
      else alive();
    },
    connection: (connection) => { if (state.call?.ended_at == null) state.connect(connection); },
    refused: (code) => (code === 401 ? use.signedOut() : code === 404 ? recorded([0]) : fail("The runner refuses to show this call.")),
    alive,
  });

  function alive() {
    if (state.call) acts.renew(state.call, state.now());
  }

  function over() {
    stream.close();
    state.connect("none");
    use.announce(`The call is over: ${ending(state.call?.ended ?? "")}.`);
    recorded(RECORD_AFTER_MS);
  }

  /** @param {readonly number[]} pauses */
  async function recorded(pauses) {
    state.connect("none");
    for (const ms of pauses) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      if (page.signal.aborted) return;
      try {
        const stored = await get(adminPath("records", id), page.signal);
        const before = state.call;
        state.read(fromRecord(stored.record));
        if (before === null) back.replaceWith(el("a", { class: "back", href: `${ROOT}recent` }, "Recent calls"));
        return;
      } catch (error) {
        if (page.signal.aborted) return;
        if (!(error instanceof Refusal)) throw error;
        if (error.status === 401) return use.signedOut();
        if (error.status !== 404 && error.status !== 0 && error.status < 500) return fail(error.message);
      }
    }
    if (state.call === null) fail("There is no such call, neither live nor in the records.");
  }

  let failure = "";
  const asked = performance.now();

  /** @param {string} text */
  function fail(text) {
    entitle("No such call");
    failure = text;
    state.onChange();
  }

  function update() {
    const { call } = state;
    content.hidden = call === null;
    missing.hidden = call !== null;
    if (call === null) {
      setText(missing, failure || (performance.now() - asked < PATIENCE_MS ? "Loading…" : NO_ANSWER));
      return;
    }
    const now = state.now();
    alive();
    entitle(`${party(call.caller)}, ${call.agent}`);
    setText(number, party(call.caller));
    const { sign: name, word: text } = heading(call);
    setAttribute(shape, "data-sign", name);
    setText(word, text);
    setText(facts, [call.agent, dayAndTime(call.created_at)].join(" · "));
    setText(time, clock((call.ended_at ?? now) - began(call)));
    setText(cost, money(call.limits ? call.limits.cost_usd : call.cost_usd));
    const wrong = call.floor && !call.floor.is_attached && call.floor.phase === "talking" ? "The runner has lost the call's sideband and is reconnecting." : call.trouble;
    trouble.hidden = !wrong || call.ended_at !== null;
    setText(trouble, wrong ?? "");
    after.hidden = call.floor !== null;
    timeline.update(call, now);
    talk.update(call, now);
    acts.update(call, now);
    limits.update(call, now);
    why.update(call);
  }

  return {
    node,
    update,
    close() {
      page.abort();
      stream.close();
      timeline.close();
      acts.close();
    },
  };
}

/** Without the column's heading a word of the list says too little. @type {Record<string, string>} */
const SPOKEN = {
  caller: "the caller speaks", agent: "the agent speaks", both: "both speak", quiet: "nobody speaks",
  person: "a person speaks through the agent", "tool runs": "a tool runs",
};

/** @param {Call} call */
function heading(call) {
  if (call.ended_at !== null) return { sign: "quiet", word: `over: ${ending(call.ended)}` };
  const { floor } = call;
  if (!floor) return { sign: "quiet", word: "" };
  const { sign: name, word } = status({
    phase: floor.phase, led_by: floor.led_by, tools_running: floor.tools,
    speaking: floor.caller ? (floor.agent ? "both" : "caller") : floor.agent ? "agent" : "nobody",
  });
  return { sign: name, word: SPOKEN[word] ?? word };
}
