/** What a person may do to a live call: each act's form, and how its result is told. A table; draws nothing. */

/** @typedef {import("../wire.js").ActName} ActName */
/** @typedef {import("../wire.js").Call} Call */
/** @typedef {import("../wire.js").Deed} Deed */
/** @typedef {import("../wire.js").Json} Json */
/** @typedef {import("../wire.js").Phase} Phase */

/**
 * @typedef {object} Field
 * @property {string} name the key in the request's body
 * @property {string} label
 * @property {"text" | "line" | "check" | "choice" | "agent" | "destination" | "vars"} kind
 * @property {string} [hint]
 * @property {boolean} [required]
 * @property {boolean} [on] a check that is set at first
 * @property {readonly (readonly [string, string])[]} [choices]
 */

/**
 * @typedef {object} Act
 * @property {ActName} name
 * @property {string} title
 * @property {string} button
 * @property {string} explains what it does, in a sentence
 * @property {readonly Field[]} fields
 * @property {boolean} [irreversible] nothing brings the call back afterwards
 */

/** @type {readonly Act[]} */
export const ACTS = [
  {
    name: "say", title: "Say to the caller", button: "Say",
    explains: "The agent speaks this sentence word for word.",
    fields: [
      { name: "say", label: "Sentence", kind: "text", required: true },
      {
        name: "when", label: "When", kind: "choice",
        choices: [["pause", "at the next pause"], ["now", "now, interrupting"]],
      },
    ],
  },
  {
    name: "tell", title: "Tell the agent", button: "Tell",
    explains: "Only the agent reads this. The caller does not hear it.",
    fields: [
      { name: "tell", label: "Message to the agent", kind: "text", required: true },
      { name: "speak", label: "and let the agent speak now", kind: "check" },
    ],
  },
  {
    name: "note", title: "Note for the record", button: "Note",
    explains: "Added to the call's record. Neither the caller nor the agent sees it.",
    fields: [{ name: "text", label: "Note", kind: "text", required: true }],
  },
  {
    name: "hush", title: "Hush", button: "Hush",
    explains: "The agent stops speaking, and what is waiting to be said is dropped.", fields: [],
  },
  {
    name: "take-over", title: "Take over", button: "Take over",
    explains: "You speak through the agent's voice. It says nothing of its own until you give the call back.",
    fields: [],
  },
  {
    name: "give-back", title: "Give back", button: "Give back",
    explains: "The agent continues.",
    fields: [{ name: "speak", label: "and let the agent speak now", kind: "check", on: true }],
  },
  {
    name: "handoff", title: "Hand off to another agent", button: "Hand off",
    explains: "Another agent continues this call, with its own instructions, voice and tools.",
    fields: [
      { name: "agent", label: "Agent", kind: "agent", required: true },
      { name: "speak", label: "and let it speak now", kind: "check", on: true },
    ],
  },
  {
    name: "instructions", title: "Change the instructions", button: "Change",
    explains: "Applies from the agent's next response on. Added instructions survive a hand-off.",
    fields: [
      {
        name: "how", label: "How", kind: "choice",
        choices: [["add", "add to what it has"], ["replace", "replace all of it, until a hand-off"]],
      },
      { name: "text", label: "Instructions", kind: "text", required: true, hint: "Plain text, not a template." },
    ],
  },
  {
    name: "vars", title: "Set a variable", button: "Set",
    explains: "A tool that is already running keeps its old values.",
    fields: [
      { name: "name", label: "Variable", kind: "vars", required: true },
      { name: "value", label: "Value", kind: "line", required: true, hint: "JSON, or a plain word." },
    ],
  },
  {
    name: "transfer", title: "Transfer the call", button: "Transfer", irreversible: true,
    explains: "The caller is transferred to this destination. If nobody answers there, the agent continues.",
    fields: [
      { name: "to", label: "Destination", kind: "destination", required: true },
      { name: "say", label: "Say first", kind: "text", hint: "Spoken word for word before the transfer. May be empty." },
    ],
  },
  {
    name: "hangup", title: "Hang up", button: "Hang up", irreversible: true,
    explains: "The call ends for the caller.",
    fields: [{ name: "say", label: "Say first", kind: "text", hint: "Spoken word for word before the end. May be empty." }],
  },
];

/** What a call takes that does not talk; it would refuse the rest. @type {Partial<Record<Phase, readonly ActName[]>>} */
const TAKEN = {
  connecting: ["hangup", "vars", "note"],
  transferring: ["tell", "give-back", "instructions", "vars", "hangup", "note"],
  leaving: ["tell", "give-back", "instructions", "vars", "hangup", "note"],
};

/** @param {Phase} phase @param {ActName} name */
export function takes(phase, name) {
  return phase === "talking" || (TAKEN[phase]?.includes(name) ?? false);
}

/** @param {ActName} name */
export function act(name) {
  return /** @type {Act} */ (ACTS.find((one) => one.name === name));
}

/**
 * The body of a request from what the form holds. What is empty is left out.
 * @param {ActName} name
 * @param {Record<string, string | boolean>} form
 * @returns {{[key: string]: Json}}
 */
export function body(name, form) {
  if (name === "instructions") return { [String(form.how)]: String(form.text).trim() };
  if (name === "vars") return { set: { [String(form.name)]: jsonOrText(String(form.value)) } };
  if (name === "take-over") return { for_s: LEASE_S };
  return Object.fromEntries(
    Object.entries(form)
      .map(([key, value]) => /** @type {[string, Json]} */ ([key, typeof value === "string" ? value.trim() : value]))
      .filter(([, value]) => value !== ""),
  );
}

/** @param {string} text */
function jsonOrText(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}

/** How long a take-over holds unless it is renewed, and when this console renews it. */
export const LEASE_S = 60;
export const RENEW_AFTER_S = 20;

/** @typedef {"waiting" | "good" | "mixed" | "bad"} Tone */

/** @type {Record<string, readonly [string, Tone]>} */
const RESULTS = {
  waiting: ["under way", "waiting"],
  done: ["done", "good"],
  heard: ["heard by the caller", "good"],
  completed: ["completed", "good"],
  interrupted: ["interrupted", "mixed"],
  not_completed: ["not completed", "bad"],
  refused: ["refused", "bad"],
  failed: ["failed", "bad"],
};

/**
 * What became of an act, in words, and whether that is good.
 * @param {string} result
 * @returns {{word: string, tone: Tone}}
 */
export function outcome(result) {
  const [word, tone] = RESULTS[result] ?? [result.replaceAll("_", " "), "mixed"];
  return { word, tone };
}

/** What was done, and what was not done or not yet. @type {Record<string, (given: {[key: string]: Json}) => readonly [string, string]>} */
const SENTENCES = {
  say: ({ say }) => [`said “${say}”`, `say “${say}”`],
  tell: ({ tell }) => [`told the agent “${tell}”`, `tell the agent “${tell}”`],
  hush: () => ["hushed the agent", "hush the agent"],
  vars: ({ set }) => [`set ${assignments(set)}`, `set ${assignments(set)}`],
  instructions: ({ add, replace }) => (add !== undefined
    ? [`added instructions “${add}”`, `add instructions “${add}”`]
    : [`replaced the instructions with “${replace}”`, `replace the instructions with “${replace}”`]),
  handoff: ({ agent }) => [`handed off to ${agent}`, `hand off to ${agent}`],
  transfer: ({ to }) => [`transferred to ${to}`, `transfer to ${to}`],
  hangup: ({ say }) => (say ? [`hung up after “${say}”`, `hang up after “${say}”`] : ["hung up", "hang up"]),
  "take-over": () => ["took over", "take over"],
  "give-back": () => ["gave the call back", "give the call back"],
  note: ({ text }) => [`noted “${text}”`, `note “${text}”`],
};

/** @param {Json} set */
function assignments(set) {
  if (set === null || typeof set !== "object") return "a variable";
  return Object.entries(set).map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(", ");
}

/** @type {Record<string, string>} */
const NOT_DONE = { waiting: "wants to", refused: "wanted to", failed: "wanted to", not_completed: "wanted to" };

/**
 * What a person did or wanted to do, after their name: `said “One moment.”`, `wants to transfer to returns`.
 * @param {Deed} deed
 */
export function sentence(deed) {
  const known = SENTENCES[deed.what];
  if (!known) return deed.what;
  const [done, wish] = known(deed.given);
  const wants = NOT_DONE[deed.result];
  return wants ? `${wants} ${wish}` : done;
}
