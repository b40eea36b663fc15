/** A take-over that this page keeps up: asked for again while the page is there, and gone with it. Pure. */

import { RENEW_AFTER_S } from "./acts.js";

/** @typedef {import("../wire.js").Call} Call */

export class Lease {
  /** When it was last asked for. @type {number | null} */
  #askedAt = null;

  /** @param {number} now */
  take(now) {
    this.#askedAt = now;
  }

  drop() {
    this.#askedAt = null;
  }

  get isHeld() {
    return this.#askedAt !== null;
  }

  /**
   * Whether it is time to renew. Somebody else who leads now, or a call that is over, ends the lease.
   * @param {Call} call
   * @param {string} own the name of whoever is signed in
   * @param {number} now
   */
  isDue(call, own, now) {
    if (this.#askedAt === null) return false;
    const leader = call.floor?.led_by ?? null;
    if (call.ended_at !== null || (leader !== own && now - this.#askedAt > 5)) {
      this.drop(); // five seconds: the event that says that we lead may be on its way
      return false;
    }
    return now - this.#askedAt >= RENEW_AFTER_S;
  }
}
