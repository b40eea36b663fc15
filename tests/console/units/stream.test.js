import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { SseParser } from "../../../runner/console/stream/sse.js";
import { Stream, pauseMs } from "../../../runner/console/stream/stream.js";

test("messages come out however the text is cut", () => {
  const text = "id: 1.1\r\nevent: turn\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n: heartbeat\n\nid: 1.2\ndata:x\n\nevent: empty\n\n";
  for (let size = 1; size <= text.length; size += 1) {
    const parser = new SseParser();
    const messages = [];
    for (let at = 0; at < text.length; at += size) messages.push(...parser.feed(text.slice(at, at + size)));
    assert.deepEqual(messages, [
      { event: "turn", data: "{\"a\":\n1}", id: "1.1" },
      { event: "message", data: "x", id: "1.2" },
    ], `in pieces of ${size}`);
  }
});

test("the first attempt comes soon, later ones within ten seconds", () => {
  assert.equal(pauseMs(0, 0), 100);
  assert.equal(pauseMs(0, 1), 300);
  assert.equal(pauseMs(1, 0), 500);
  assert.equal(pauseMs(20, 1), 10_000);
});

/**
 * A real server, and what a stream hears of it until `enough` of it has come.
 * @param {(request: import("node:http").IncomingMessage, reply: import("node:http").ServerResponse, n: number) => void} answer
 * @param {(heard: string[]) => boolean} enough
 */
async function heard(answer, enough) {
  let n = 0;
  const server = createServer((request, reply) => answer(request, reply, n++));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  /** @type {string[]} */
  const news = [];
  await new Promise((resolve) => {
    const tell = (/** @type {string} */ what) => { news.push(what); if (enough(news)) resolve(null); };
    const stream = new Stream(`http://127.0.0.1:${port}/`, {
      message: (message) => tell(`${message.event} ${message.data}`), connection: tell, refused: (status) => tell(`refused ${status}`),
    });
    server.on("close", () => stream.close());
    setTimeout(() => resolve(null), 8000).unref();
  });
  server.close();
  server.closeAllConnections();
  return news;
}

test("a stream that breaks off goes on after the last event that it saw", async () => {
  const asked = /** @type {(string | undefined)[]} */ ([]);
  const news = await heard((request, reply, n) => {
    asked.push(/** @type {string | undefined} */ (request.headers["last-event-id"]));
    reply.writeHead(200, { "content-type": "text/event-stream" });
    reply.write(`id: 1.${n + 1}\nevent: turn\ndata: ${n}\n\n`);
    if (n === 0) setTimeout(() => reply.destroy(), 20);
  }, (all) => all.at(-1) === "turn 1");
  assert.deepEqual(news, ["connecting", "connected", "turn 0", "reconnecting", "connected", "turn 1"]);
  assert.deepEqual(asked, [undefined, "1.1"]);
});

test("a runner that is away is asked again, one that refuses is not", async () => {
  const news = await heard((_, reply, n) => { reply.writeHead(n === 0 ? 503 : 404); reply.end(); }, (all) => all.at(-1) === "refused 404");
  assert.deepEqual(news, ["connecting", "reconnecting", "refused 404"]);
});
