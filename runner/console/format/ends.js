/** Why calls end: the words of the record, and how they read. Pure. */

/** The words of docs/ends.md, in its order. */
export const ENDS = [
  "caller_hung_up", "hangup", "transferred", "max_duration", "max_cost", "max_tool_calls", "silence", "ghost", "guardrail",
  "person", "model_failed", "session_expired", "tampered", "failed", "lost", "shutdown",
];

/** @type {Record<string, string>} */
const SHORT = { hangup: "agent hung up", person: "person hung up" };

/**
 * `caller_hung_up` → `caller hung up`. A word that this console does not know reads as it is.
 * @param {string} ended
 */
export function ending(ended) {
  return SHORT[ended] ?? ended.replaceAll("_", " ");
}

/**
 * The word of the record for what somebody typed: either form will do.
 * @param {string} typed
 */
export function endedWord(typed) {
  const text = typed.trim().toLowerCase();
  return ENDS.find((word) => ending(word) === text) ?? text.replaceAll(" ", "_");
}
