/** The conversation of a call, as it grows. */

import { outcome, sentence } from "../acts/acts.js";
import { conversation } from "../format/conversation.js";
import { ending } from "../format/ends.js";
import { clock, jsonText, span, words } from "../format/format.js";
import { began } from "../state/list.js";
import { isBad } from "../timeline/timeline.js";
import { KeyedList, el, fill, setAttribute, setText, sign } from "./dom.js";

/** @typedef {import("../wire.js").Call} Call */
/** @typedef {import("../wire.js").Tool} Tool */
/** @typedef {import("../format/conversation.js").Entry} Entry */

/** From the caller's last word to the agent's first: from here on it is felt. */
const SLOW_S = 1.5;

export class Conversation {
  #items = el("ol", { class: "entries" });
  #end = el("div", { class: "end-of-entries" });
  #latest = el("button", { type: "button", class: "latest", hidden: true, onclick: () => this.#toEnd() }, "Latest");
  #scroller = el("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": "Turns" }, this.#items, this.#end);
  node = el("section", { class: "conversation", "aria-labelledby": "conversation" },
    el("h2", { id: "conversation" }, "Conversation"), this.#scroller, this.#latest);
  #list;
  #start = 0;

  constructor() {
    this.#list = new KeyedList(this.#items, (/** @type {Entry} */ entry) => entry.key, (entry) => this.#make(entry));
  }

  /** Whoever reads the end keeps reading it; whoever reads further up is left there. @param {Call} call @param {number} now */
  update(call, now) {
    this.#start = began(call);
    const isAtEnd = this.#isAtEnd();
    const before = this.#end.getBoundingClientRect().bottom;
    const entries = conversation(call, now);
    const size = this.#list.size;
    this.#list.update(entries);
    if (entries.length === 0) setAttribute(this.node, "data-empty", true);
    else setAttribute(this.node, "data-empty", null);
    const grown = this.#end.getBoundingClientRect().bottom - before;
    if (isAtEnd && grown > 0 && call.floor !== null) {
      if (this.#isOwnScroller()) this.#scroller.scrollTop = this.#scroller.scrollHeight;
      else if (size > 0) scrollBy(0, grown);
    }
    this.#latest.hidden = this.#isAtEnd() || call.ended_at !== null;
  }

  #isOwnScroller() {
    return getComputedStyle(this.#scroller).overflowY === "auto";
  }

  #isAtEnd() {
    if (this.#isOwnScroller()) {
      return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight < 48;
    }
    const bottom = this.#end.getBoundingClientRect().bottom;
    return bottom > 0 && bottom < innerHeight + 48;
  }

  #toEnd() {
    if (this.#isOwnScroller()) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    else this.#end.scrollIntoView({ block: "end" });
    this.#scroller.focus({ preventScroll: true });
  }

  /** @param {Entry} entry @returns {{node: HTMLElement, update: (entry: Entry) => void}} */
  #make(entry) {
    const at = el("time", { class: "at" });
    const node = el("li", { class: `entry ${entry.kind}` }, at);
    const update = PARTS[entry.kind](node);
    return {
      node,
      update: (changed) => {
        setText(at, clock(changed.at - this.#start));
        update(changed);
      },
    };
  }
}

/** @type {Record<Entry["kind"], (node: HTMLElement) => (entry: any) => void>} */
const PARTS = {
  turn(node) {
    const shape = sign("caller");
    const who = el("span");
    const text = el("p", { class: "text" });
    const aside = el("span", { class: "aside" });
    const tools = el("ul", { class: "tools", hidden: true });
    const list = toolList(tools);
    node.append(el("span", { class: "who" }, shape, who), el("div", { class: "said" }, text, aside), tools);
    return (/** @type {Extract<Entry, {kind: "turn"}>} */ { turn, tools: own }) => {
      setAttribute(shape, "data-sign", turn.role === "caller" ? "caller" : "agent");
      setAttribute(node, "data-role", turn.role);
      setText(who, turn.role);
      setText(text, turn.text ?? (turn.is_whole ? "no transcript" : "…"));
      setAttribute(text, "data-absent", turn.text === null);
      const asides = [];
      if (turn.waited_s !== null) asides.push(`after ${span(turn.waited_s)}`);
      if (turn.heard_ms !== null) asides.push(`interrupted, ${span(turn.heard_ms / 1000)} heard`);
      setText(aside, asides.join(" · "));
      setAttribute(aside, "data-slow", turn.waited_s !== null && turn.waited_s >= SLOW_S);
      tools.hidden = own.length === 0;
      list.update(own);
    };
  },
  tools(node) {
    const tools = el("ul", { class: "tools" });
    const list = toolList(tools);
    node.append(el("span", { class: "who" }, sign("tool"), "tool"), tools);
    return (entry) => list.update(entry.tools);
  },
  silence(node) {
    const text = el("span", { class: "note" });
    node.append(text);
    return (entry) => setText(text, `${span(entry.seconds)} of silence`);
  },
  deed(node) {
    const who = el("span");
    const text = el("p", { class: "text" });
    const fate = el("span", { class: "fate" });
    node.append(el("span", { class: "who" }, sign("person"), who), el("div", { class: "said" }, text, fate));
    return ({ deed }) => {
      setText(who, deed.by);
      setText(text, sentence(deed));
      const { word, tone } = outcome(deed.result);
      if (fate.dataset.told !== word + deed.detail) {
        fate.dataset.told = word + deed.detail;
        fill(fate, sign(tone), deed.detail ? `${word}: ${deed.detail}` : word);
      }
    };
  },
  handoff(node) {
    const text = el("span", { class: "note" });
    node.append(text);
    return ({ handoff }) => setText(text, `Handed off to ${handoff.agent}: ${handoff.because}`);
  },
  end(node) {
    const text = el("span", { class: "note" });
    node.append(text);
    return (entry) => setText(text, `${ending(entry.ended) || "over"}${entry.detail ? `: ${entry.detail}` : ""}`);
  },
};

/** @param {HTMLElement} parent */
function toolList(parent) {
  return new KeyedList(parent, (/** @type {Tool} */ tool) => tool.call_id, () => {
    const node = el("li");
    let shown = "";
    return {
      node,
      update(/** @type {Tool} */ tool) {
        const changed = JSON.stringify(tool);
        if (changed === shown) return;
        shown = changed;
        const isOpen = node.querySelector("details")?.open ?? false;
        fill(node, toolDetails(tool, isOpen));
      },
    };
  });
}

/** @param {Tool} tool @param {boolean} isOpen */
function toolDetails(tool, isOpen) {
  const tone = tool.status === "running" ? "waiting" : isBad(tool.status) ? "bad" : "good";
  const told = [
    `${words(tool.status)}${tool.http_status === null ? "" : ` ${tool.http_status}`}`,
    tool.attempts.length > 1 ? `${tool.attempts.length} attempts` : "",
    tool.took_s === null ? "" : span(tool.took_s),
  ].filter(Boolean).join(" · ");
  return el("details", { open: isOpen },
    el("summary", {}, sign("tool"), el("span", { class: "name" }, tool.name), el("span", { class: "fate" }, sign(tone), told)),
    el("dl", {},
      ...pair("Request", el("pre", { tabindex: "0" }, jsonText(tool.arguments))),
      ...(tool.reply === null ? [] : pair("Reply", el("pre", { tabindex: "0" }, jsonText(tool.reply)))),
      ...(tool.error === null ? [] : pair("Error", el("p", {}, tool.error))),
      ...(tool.attempts.length ? pair("Attempts", attempts(tool)) : [])));
}

/** @param {string} name @param {Node} value */
function pair(name, value) {
  return [el("dt", {}, name), el("dd", {}, value)];
}

/** @param {Tool} tool */
function attempts(tool) {
  return el("ol", { class: "attempts" }, ...tool.attempts.map((attempt) => el("li", {}, [
    `+${span(Math.max(0, attempt.at - tool.started_at))}`,
    attempt.error ?? String(attempt.http_status ?? ""),
    attempt.took_s === null ? "running" : `took ${span(attempt.took_s)}`,
  ].filter(Boolean).join(" · "))));
}
