/** Sending an act: once, whatever the network does. */

import { Refusal, adminPath, post } from "../api.js";

/** @typedef {import("../wire.js").ActName} ActName */
/** @typedef {import("../wire.js").Json} Json */

/** Nothing answered, or only what stands before the runner did: it may be done, and may be asked again. */
const UNSURE = new Set([0, 502, 503, 504]);
const PAUSES_MS = [500, 1500];

/** An act's id: the same for every attempt. Not `randomUUID`, which plain HTTP does not have. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The act is asked for again under its id while it is not known whether it was done.
 * @param {string} call
 * @param {ActName} name
 * @param {Json} body
 * @param {string} key
 * @param {(ms: number) => Promise<unknown>} [pause]
 * @returns {Promise<{deed: string, result: string}>}
 */
export async function send(call, name, body, key, pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))) {
  for (const ms of PAUSES_MS) {
    try {
      return await post(adminPath("calls", call, name), body, key);
    } catch (error) {
      if (!(error instanceof Refusal && UNSURE.has(error.status))) throw error;
      await pause(ms);
    }
  }
  return post(adminPath("calls", call, name), body, key);
}
