/** What a person may do to the call that is read, and what became of it. */

import { Refusal } from "../api.js";
import { act, body, outcome, sentence, takes } from "../acts/acts.js";
import { Lease } from "../acts/lease.js";
import { newKey, send } from "../acts/request.js";
import { clock, span } from "../format/format.js";
import { began } from "../state/list.js";
import { openDialog } from "./act_dialog.js";
import { control, held, isPossible } from "./act_form.js";
import { KeyedList, el, fill, setAttribute, setText, sign } from "./dom.js";

/** @typedef {import("../wire.js").ActName} ActName */
/** @typedef {import("../wire.js").Call} Call */
/** @typedef {import("../wire.js").Deed} Deed */
/** @typedef {import("../main.js").Console} Console */

/** @type {readonly ActName[]} */
const COMPOSED = ["say", "tell", "note"];
/** @type {readonly (readonly [ActName, string])[]} */
const BUTTONS = [
  ["hush", "Hush"], ["take-over", "Take over"], ["give-back", "Give back…"], ["handoff", "Hand off…"], ["instructions", "Instructions…"],
  ["vars", "Variables…"], ["transfer", "Transfer…"], ["hangup", "Hang up…"],
];

export class Acts {
  node;
  lease = new Lease();
  #use;
  #id;
  /** @type {ActName} */
  #mode = "say";
  #form = el("form", { class: "composer", onsubmit: (/** @type {Event} */ event) => this.#compose(event) });
  #fields = el("div", { class: "composed" });
  #refusal = el("p", { class: "refusal", role: "alert" });
  #buttons;
  #lead = el("div", { class: "lead", hidden: true });
  #leadText = el("p");
  #deeds = el("ol", { class: "deeds" });
  #list;
  /** The outcomes that have been told to a screen reader. @type {Map<string, string>} */
  #told = new Map();
  /** An act of which nobody knows whether it was done keeps its id. @type {{what: string, key: string} | null} */
  #unsure = null;
  #start = 0;

  /** @param {Console} use @param {string} id */
  constructor(use, id) {
    this.#use = use;
    this.#id = id;
    if (sessionStorage.getItem(this.#memory) !== null) this.lease.take(0); // a page that was loaded again leads on
    const modes = el("fieldset", { class: "segments" }, el("legend", { class: "unseen" }, "What to do with the text"),
      ...COMPOSED.map((name) => el("label", {},
        el("input", { type: "radio", name: "mode", value: name, checked: name === "say", onchange: () => this.#choose(name) }),
        el("span", {}, act(name).button))));
    this.#buttons = BUTTONS.map(([name, label]) => ({
      name,
      button: el("button", {
        type: "button", class: act(name).irreversible ? "danger-quiet" : null, onclick: () => this.#press(name),
      }, label),
    }));
    this.#form.append(modes, this.#fields);
    this.#lead.append(sign("person"), this.#leadText);
    const more = el("details", { class: "more" }, el("summary", {}, "More"),
      el("div", { class: "act-buttons" }, ...this.#buttons.map(({ button }) => button)));
    this.node = el("section", { class: "acts", "aria-labelledby": "acts-title" },
      el("h2", { id: "acts-title" }, "Steer"), this.#lead, this.#form, this.#refusal, more);
    this.#list = new KeyedList(this.#deeds, (/** @type {Deed} */ deed) => deed.id, () => this.#deedItem());
    this.history = el("section", { class: "history", "aria-labelledby": "history-title", hidden: true },
      el("h2", { id: "history-title" }, "Acts"), this.#deeds);
    const wide = matchMedia("(min-width: 901px)");
    const open = () => { more.open = wide.matches; };
    wide.addEventListener("change", open);
    this.close = () => wide.removeEventListener("change", open);
    open();
  }

  get #memory() {
    return `phone-agents lead ${this.#id}`;
  }

  /** @param {Call} call @param {number} now */
  update(call, now) {
    const { session } = this.#use;
    const mayAct = session.may === "steer" && call.ended_at === null && call.floor !== null;
    const isShown = session.may === "steer" && call.floor !== null;
    this.node.hidden = !isShown;
    setAttribute(this.node, "data-over", call.ended_at !== null);
    if (this.#fields.childElementCount === 0) this.#choose(this.#mode);
    const phase = call.floor?.phase ?? "over";
    const mayWrite = mayAct && takes(phase, this.#mode);
    for (const mode of this.#form.querySelectorAll("[name=mode]")) setAttribute(mode, "disabled", !mayAct);
    for (const field of this.#fields.querySelectorAll("input, textarea, button")) setAttribute(field, "disabled", !mayWrite);
    const leader = call.floor?.led_by ?? null;
    for (const { name, button } of this.#buttons) {
      setAttribute(button, "disabled", !mayAct || !takes(phase, name) || !isPossible(act(name), call));
      if (name === "take-over") button.hidden = leader === session.by;
      if (name === "give-back") button.hidden = leader === null;
    }
    this.#tellLead(call, leader, now);
    this.#start = began(call);
    this.history.hidden = call.deeds.length === 0;
    this.#list.update(call.deeds.toReversed());
    this.#announce(call.deeds);
  }

  /** @param {Call} call @param {string | null} leader @param {number} now */
  #tellLead(call, leader, now) {
    this.#lead.hidden = leader === null;
    if (leader === null) return;
    const own = leader === this.#use.session.by;
    const until = call.limits?.lead_until ?? null;
    const left = until === null ? "" : own && this.lease.isHeld ? " Renewed while this page is open." : ` For ${span(Math.max(0, Math.ceil(until - now)))} more.`;
    setText(this.#leadText, own
      ? `You lead: the agent says nothing of its own.${left}`
      : `${leader} leads: the agent says nothing of its own.${left}`);
  }

  /** Called at each sign of life and each second: timers alone sleep in a tab that nobody looks at. @param {Call} call @param {number} now */
  renew(call, now) {
    const wasHeld = this.lease.isHeld;
    if (this.lease.isDue(call, this.#use.session.by, now)) {
      this.lease.take(now);
      send(this.#id, "take-over", body("take-over", {}), newKey()).catch((error) => {
        if (!(error instanceof Refusal)) throw error;
        this.#refuse(`The take-over could not be renewed: ${error.message}`);
      });
    } else if (wasHeld && !this.lease.isHeld) sessionStorage.removeItem(this.#memory);
  }

  /** @param {ActName} name */
  #choose(name) {
    this.#mode = name;
    const call = this.#use.state.call;
    if (!call) return;
    const text = this.#fields.querySelector("textarea")?.value ?? "";
    const chosen = act(name);
    fill(this.#fields, ...chosen.fields.map((field) => control(field, call, "act")),
      el("button", { type: "submit", class: "primary" }, chosen.button), el("p", { class: "hint" }, chosen.explains));
    const field = this.#fields.querySelector("textarea");
    if (!field) return;
    field.value = text;
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#form.requestSubmit();
      }
    });
  }

  /** @param {Event} event */
  async #compose(event) {
    event.preventDefault();
    const field = this.#fields.querySelector("textarea");
    const why = await this.#perform(this.#mode, held(this.#form, act(this.#mode)));
    if (why === null) {
      if (field) field.value = "";
    } else this.#refuse(why);
  }

  /** @param {ActName} name */
  async #press(name) {
    const call = this.#use.state.call;
    const chosen = act(name);
    if (!call) return;
    if (chosen.fields.length || chosen.irreversible) {
      openDialog(chosen, call, (form) => this.#perform(name, form));
      return;
    }
    const why = await this.#perform(name, {});
    if (why !== null) this.#refuse(why);
  }

  /** @param {ActName} name @param {Record<string, string | boolean>} form @returns {Promise<string | null>} why it was not accepted */
  async #perform(name, form) {
    const { state } = this.#use;
    const given = body(name, form);
    const what = `${name} ${JSON.stringify(given)}`;
    const key = this.#unsure?.what === what ? this.#unsure.key : newKey();
    this.#unsure = null;
    this.#refusal.textContent = "";
    try {
      await send(this.#id, name, given, key);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401) this.#use.signedOut();
      if (error.status !== 0 && error.status < 500) return error.message;
      this.#unsure = { what, key };
      return `${error.message} It is not known whether it was done; asked again, it is done once.`;
    }
    if (name === "take-over") {
      this.lease.take(state.now());
      sessionStorage.setItem(this.#memory, "");
    }
    if (name === "give-back") {
      this.lease.drop();
      sessionStorage.removeItem(this.#memory);
    }
    return null;
  }

  /** @param {string} why */
  #refuse(why) {
    this.#refusal.textContent = why;
  }

  /** What became of one's own acts is told once to a screen reader. @param {readonly Deed[]} deeds */
  #announce(deeds) {
    const isFirst = this.#told.size === 0;
    for (const deed of deeds) {
      if (this.#told.has(deed.id) && this.#told.get(deed.id) === deed.result) continue;
      this.#told.set(deed.id, deed.result);
      if (!isFirst && deed.result !== "waiting") this.#use.announce(`${deed.by} ${sentence(deed)}: ${outcome(deed.result).word} ${deed.detail}`);
    }
    if (isFirst) this.#told.set("", "");
  }

  #deedItem() {
    const shape = sign("waiting");
    const text = el("p", { class: "text" });
    const fate = el("p", { class: "fate" });
    const at = el("time", { class: "at" });
    const node = el("li", {}, shape, el("div", {}, text, fate), at);
    return {
      node,
      update: (/** @type {Deed} */ deed) => {
        const { word, tone } = outcome(deed.result);
        setAttribute(shape, "data-sign", tone);
        setText(text, `${deed.by} ${sentence(deed)}`);
        const took = deed.settled_at === null ? "" : ` after ${span(Math.max(0, deed.settled_at - deed.at))}`;
        setText(fate, `${word}${took}${deed.detail ? `: ${deed.detail}` : ""}`);
        setText(at, clock(deed.at - this.#start));
      },
    };
  }
}
