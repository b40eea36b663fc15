/** The event-stream format (HTML Standard, 9.2.6), as a parser that is fed with text. Pure. */

/** @typedef {{event: string, data: string, id: string | null}} Message */

export class SseParser {
  #rest = "";
  #event = "";
  /** @type {string[]} */
  #data = [];
  /** @type {string | null} */
  #id = null;

  /**
   * Messages that this piece of text completes. A piece may end anywhere, even between CR and LF.
   * @param {string} text
   * @returns {Message[]}
   */
  feed(text) {
    /** @type {Message[]} */
    const messages = [];
    this.#rest += text;
    for (;;) {
      const end = this.#rest.search(/[\r\n]/);
      if (end < 0) return messages;
      const isCr = this.#rest[end] === "\r";
      if (isCr && end === this.#rest.length - 1) return messages; // its LF may be on the way
      const line = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + (isCr && this.#rest[end + 1] === "\n" ? 2 : 1));
      const message = this.#line(line);
      if (message) messages.push(message);
    }
  }

  /**
   * @param {string} line
   * @returns {Message | null}
   */
  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  /** @returns {Message | null} */
  #dispatch() {
    const message = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
    const complete = this.#data.length > 0;
    this.#event = "";
    this.#data = [];
    return complete ? message : null;
  }
}
