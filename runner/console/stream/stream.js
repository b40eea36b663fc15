/** One event stream that does not give up: it reconnects where it broke off, and notices a connection that is dead.
 *
 * `fetch` instead of EventSource, because a refusal has a status there, and heartbeats can be seen.
 */

import { SseParser } from "./sse.js";

/** @typedef {import("./sse.js").Message} Message */

/** Heartbeats come every 15 s; after two that did not come the connection is dead. */
export const DEAD_AFTER_MS = 40_000;

/**
 * How long to wait before the next attempt: at once the first time, then longer each time up to 10 s, and each
 * console a little different, so that a hundred of them do not come back in the same instant.
 * @param {number} attempt 0 for the first
 * @param {number} [random]
 */
export function pauseMs(attempt, random = Math.random()) {
  const most = Math.min(10_000, 500 * 2 ** attempt);
  return attempt === 0 ? 100 + 200 * random : most / 2 + (most / 2) * random;
}

/**
 * @typedef {object} Listener
 * @property {(message: Message) => void} message
 * @property {(connection: "connecting" | "connected" | "reconnecting") => void} connection
 * @property {(status: number) => void} refused 401, 403, 404: asking again is of no use
 * @property {() => void} [alive] any sign of life, heartbeats too
 */

export class Stream {
  #url;
  #listener;
  #closed = new AbortController();
  /** @type {string | null} */
  #lastId = null;
  /** @type {(() => void) | null} */
  #wake = null;

  /**
   * @param {string} url
   * @param {Listener} listener
   */
  constructor(url, listener) {
    this.#url = url;
    this.#listener = listener;
    this.#run();
  }

  close() {
    this.#closed.abort();
    this.#wake?.();
  }

  /** Try again now, without waiting: the network is said to be back. */
  hurry() {
    this.#wake?.();
  }

  async #run() {
    this.#listener.connection("connecting");
    for (let attempt = 0; !this.#closed.signal.aborted; attempt += 1) {
      const outcome = await this.#connection();
      if (this.#closed.signal.aborted) return;
      if (typeof outcome === "number") return this.#listener.refused(outcome);
      if (outcome === "worked") attempt = 0;
      this.#listener.connection("reconnecting");
      await this.#pause(pauseMs(attempt));
    }
  }

  /** @param {number} ms */
  #pause(ms) {
    return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => { clearTimeout(timer); resolve(); };
    });
  }

  /** @returns {Promise<"worked" | "failed" | number>} */
  async #connection() {
    const connection = new AbortController();
    const stop = () => connection.abort();
    this.#closed.signal.addEventListener("abort", stop);
    let watchdog = setTimeout(stop, DEAD_AFTER_MS);
    let worked = false;
    try {
      /** @type {Record<string, string>} */
      const headers = { accept: "text/event-stream" };
      if (this.#lastId !== null) headers["last-event-id"] = this.#lastId;
      const reply = await fetch(this.#url, { headers, signal: connection.signal, cache: "no-store" });
      if (reply.status === 401 || reply.status === 403 || reply.status === 404) return reply.status;
      if (!reply.ok || !reply.body) return "failed";
      const parser = new SseParser();
      const decoder = new TextDecoder();
      const reader = reply.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        clearTimeout(watchdog);
        watchdog = setTimeout(stop, DEAD_AFTER_MS);
        if (!worked) this.#listener.connection("connected");
        worked = true;
        this.#listener.alive?.();
        for (const message of parser.feed(decoder.decode(value, { stream: true }))) {
          if (message.id !== null) this.#lastId = message.id;
          this.#listener.message(message);
        }
      }
    } catch (error) {
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
    } finally {
      clearTimeout(watchdog);
      this.#closed.signal.removeEventListener("abort", stop);
      connection.abort();
    }
    return worked ? "worked" : "failed";
  }
}
