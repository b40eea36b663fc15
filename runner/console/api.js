/** Requests to the admin API. A refusal is an error that carries the API's own sentence. */

/** @typedef {import("./wire.js").Problem} Problem */
/** @typedef {import("./wire.js").Json} Json */

export class Refusal extends Error {
  /** @param {number} status 0: nothing answered @param {string} sentence @param {Problem | null} problem */
  constructor(status, sentence, problem = null) {
    super(sentence);
    this.status = status;
    this.problem = problem;
  }
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function get(path, signal) {
  return (await answered(path, { headers: { accept: "application/json" }, signal, cache: "no-store" })).json();
}

/** @param {string} path @returns {Promise<string>} */
export async function getText(path) {
  return (await answered(path, { cache: "no-store" })).text();
}

/**
 * @param {string} path
 * @param {Json} body
 * @param {string} [key] what makes a repeated request the same act
 * @returns {Promise<any>}
 */
export async function post(path, body, key) {
  /** @type {Record<string, string>} */
  const headers = { "content-type": "application/json", accept: "application/json" };
  if (key) headers["idempotency-key"] = key;
  const reply = await answered(path, { method: "POST", headers, body: JSON.stringify(body) });
  return reply.status === 204 ? null : reply.json();
}

/** @param {string} path @param {RequestInit} request */
async function answered(path, request) {
  /** @type {Response} */
  let reply;
  try {
    reply = await fetch(path, request);
  } catch (error) {
    if (request.signal?.aborted) throw error;
    throw new Refusal(0, "The runner does not respond. Check the network, then try again.");
  }
  if (reply.ok) return reply;
  /** @type {Problem | null} */
  const problem = await reply.json().catch(() => null);
  throw new Refusal(reply.status, problem?.detail || problem?.title || `The runner replied ${reply.status}.`, problem);
}

/**
 * A path below the admin API; every part is encoded.
 * @param {...string} parts
 */
export function adminPath(...parts) {
  return `/admin/${parts.map(encodeURIComponent).join("/")}`;
}

/**
 * A query without what is empty.
 * @param {Record<string, string | number | null | undefined>} parameters
 */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}
