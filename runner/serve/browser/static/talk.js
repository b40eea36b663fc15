// A call to an agent, for any page: an ES module without dependencies.
//
//   import { Call } from "https://phone.maple.example/talk.js";
//   const call = new Call({ token });          // or: token: async () => "…", agent: "front-desk"
//   call.addEventListener("change", () => render(call.state, call.turns, call.problem));
//   button.onclick = () => (call.isLive ? call.hangUp() : call.start());
//
// Instructions, tools and secrets stay on the server: the page sends and hears audio, and no more.

const SERVER = new URL(import.meta.url).origin;
const GATHERING_MS = 1000;
const LOST_MS = 15000;
const AGAIN_MS = 1000;
const MOST_TRIES = 20;

/** What went wrong, in words for the caller. Replace them for your language. */
export const MESSAGES = {
  "microphone-denied": "Your browser does not let this page use the microphone. Allow it beside the address, then call again.",
  "microphone-missing": "No microphone was found. Plug one in, then call again.",
  "microphone-busy": "The microphone cannot be used. Another program may be using it.",
  "microphone-lost": "Your microphone is gone, so the agent does not hear you. Call again once it is back.",
  "microphone-insecure": "Browsers allow the microphone on https:// pages only.",
  "audio-blocked": "Your browser has blocked the sound. Press “Turn sound on”.",
  "no-network": "The server cannot be reached. Check your connection, then call again.",
  "no-token": "This page could not find out whether you may call. Please try again in a while.",
  "connection-lost": "Connection lost. Reconnecting …",
  "connection-failed": "The connection was lost, and the call has ended.",
  "no-media": "No sound can pass between this network and the voice service. A firewall may be in the way.",
  busy: "All lines are busy. Please try again in a while.",
  no_room: "Calls cannot be taken at the moment. Please try again in a while.",
  too_many_calls: "Too many calls. Please try again in a minute.",
  token_missing: "This page needs a link that lets you call.",
  token_expired: "This link has expired. Ask for a new one.",
  token_used: "This link has already been used. Ask for a new one.",
  no_route: "Nobody answers this call.",
  api_unavailable: "The voice service does not respond. Please try again in a while.",
  failed: "The voice service rejected the call.",
  refused: "The call was refused.",
};

/** What only the owner of the page can mend: `detail` in the reply, and in the browser's console, says what it is. */
const NO_PERMISSION = "This page has no permission to call. Reload it, or tell its owner.";
const OWNERS = /^(token_|origin_|agent_not_allowed$|which_agent$|vars_not_declared$)/;

/** One call. `state` is idle, asking, connecting, talking, lost or ended; a "change" event follows each change. */
export class Call extends EventTarget {
  #options;
  #peer = null;
  #microphone = null;
  #audio = null;
  #place = null;
  #token = "";
  #events = null;
  #lost = 0;
  /** Of the latest call: what one before it was still waiting for must not touch it. */
  #attempt = 0;
  #whilePlaced = {
    pagehide: () => this.#hangUp("caller_hung_up", { pageGoes: true }),
    offline: () => this.#isLost(),
    online: () => this.#connection(this.#peer?.connectionState),
  };

  constructor({ server = SERVER, token = "", agent = null, audio = null } = {}) {
    super();
    this.#options = { server, token, agent };
    this.#audio = audio ?? new Audio();
    this.#audio.autoplay = true;
    this.state = "idle";
    /** What was said: `{role: "caller" | "agent", text}`, in order. */
    this.turns = [];
    /** What was called, only while an agent is developed. */
    this.tools = [];
    /** Who speaks: "caller", "agent" or null. */
    this.speaking = null;
    /** What is wrong: `{code, message}` or null. */
    this.problem = null;
    /** Why the call ended, in one word. */
    this.ended = "";
  }

  get isLive() {
    return !["idle", "ended"].includes(this.state);
  }

  /** The caller's microphone and the agent's voice as streams, e.g. to show how loud they are. */
  get streams() {
    return { caller: this.#microphone, agent: this.#audio.srcObject };
  }

  set muted(value) {
    for (const track of this.#microphone?.getAudioTracks() ?? []) track.enabled = !value;
    this.#changed();
  }

  get muted() {
    const tracks = this.#microphone?.getAudioTracks() ?? [];
    return tracks.length > 0 && tracks.every((track) => !track.enabled);
  }

  /** Call. Resolves once the call was taken, or has failed: see `state` and `problem`. */
  async start() {
    if (this.isLive) return;
    Object.assign(this, { turns: [], tools: [], speaking: null, problem: null, ended: "" });
    const attempt = ++this.#attempt;
    const isLatest = () => attempt === this.#attempt;
    const isOver = () => !isLatest() || !this.isLive;
    this.#to("asking");
    try {
      const caller = await microphone();
      if (isOver()) return stop(caller);
      this.#microphone = caller;
      for (const track of caller.getTracks()) track.onended = () => this.#trouble("microphone-lost");
      this.#to("connecting");
      await this.#connect(isOver, isLatest);
    } catch (error) {
      if (!isOver()) this.#fail(error instanceof Problem ? error.code : "failed", error.message);
    }
  }

  /** Hang up, and tell the server at once. */
  hangUp(ended = "caller_hung_up") {
    this.#hangUp(ended);
  }

  /** Let the sound be heard, when the browser has blocked it: call this from a click. */
  async turnSoundOn() {
    await this.#audio.play();
    if (this.problem?.code === "audio-blocked") this.problem = null;
    this.#changed();
  }

  #hangUp(ended, how) {
    if (!this.isLive) return;
    if (this.#place) this.#tell("hangup", how);
    this.#finish(ended);
  }

  async #connect(isOver, isLatest) {
    const token = await this.#newToken();
    if (isOver()) return;
    this.#token = token;
    const peer = (this.#peer = new RTCPeerConnection({ iceServers: [] }));
    for (const track of this.#microphone.getTracks()) peer.addTrack(track, this.#microphone);
    peer.ontrack = ({ track, streams }) => this.#hear(streams[0] ?? new MediaStream([track]));
    peer.onconnectionstatechange = () => this.#connection(peer.connectionState);
    await peer.setLocalDescription();
    await gathered(peer);
    if (isOver()) return;
    const { place, answer } = await this.#ask(peer.localDescription.sdp, token);
    if (isOver()) return tell(`${place}/hangup`, token);
    this.#place = place;
    for (const [event, handler] of Object.entries(this.#whilePlaced)) addEventListener(event, handler);
    await peer.setRemoteDescription({ type: "answer", sdp: answer });
    this.#follow(isLatest);
  }

  async #newToken() {
    const { token } = this.#options;
    if (typeof token !== "function") return token;
    try {
      return await token();
    } catch (error) {
      throw new Problem("no-token", error.message);
    }
  }

  async #ask(offer, token) {
    const url = new URL("/calls", this.#options.server);
    if (this.#options.agent) url.searchParams.set("agent", this.#options.agent);
    const headers = { "Content-Type": "application/sdp", ...authorization(token) };
    let response;
    try {
      response = await fetch(url, { method: "POST", body: offer, headers, credentials: "omit" });
    } catch {
      throw new Problem("no-network");
    }
    if (response.status !== 201) {
      const { code = "refused", detail } = await response.json().catch(() => ({}));
      throw new Problem(code, detail);
    }
    const place = new URL(response.headers.get("Location"), this.#options.server);
    const answer = await response.text().catch(() => null);
    if (answer !== null) return { place, answer };
    tell(`${place}/hangup`, token);
    throw new Problem("no-network");
  }

  #hear(stream) {
    this.#audio.srcObject = stream;
    this.#audio.play().catch(() => this.#trouble("audio-blocked"));
    this.#changed();
  }

  #connection(state) {
    if (!this.isLive) return;
    clearTimeout(this.#lost);
    if (state === "connected") {
      if (this.problem?.code === "connection-lost") this.problem = null;
      if (this.state === "connecting") this.#tell("connected");
      this.#to("talking");
    } else if (state === "disconnected") {
      this.#isLost();
      this.#lost = setTimeout(() => this.#fail("connection-failed"), LOST_MS);
    } else if (state === "failed") {
      this.#fail(this.state === "connecting" ? "no-media" : "connection-failed");
    }
  }

  /** It may come back by itself. */
  #isLost() {
    if (!["talking", "lost"].includes(this.state)) return;
    this.#to("lost");
    this.#trouble("connection-lost");
  }

  /** What is said, as the server writes it down, also when it was started again. Without it the call goes on. */
  async #follow(isLatest) {
    const events = (this.#events = new AbortController());
    const url = `${this.#place}/events`;
    while (this.isLive && !events.signal.aborted) {
      try {
        const response = await fetch(url, { headers: authorization(this.#token), signal: events.signal });
        if (response.status === 404) return;
        if (response.ok) await this.#read(response, isLatest);
      } catch {
        // The server is away for a moment, or the network: then the connection itself says so.
      }
      await pause(AGAIN_MS);
    }
  }

  async #read(response, isLatest) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done || !isLatest()) return;
      const messages = (text + value).split("\n\n");
      text = messages.pop();
      for (const message of messages) if (message.startsWith("data: ")) this.#seen(JSON.parse(message.slice(6)));
    }
  }

  #seen({ turns, tools = [], speaking, ended }) {
    Object.assign(this, { turns, tools, speaking });
    if (ended) this.#finish(ended);
    else this.#changed();
  }

  /** By a beacon where the page goes. */
  #tell(what, { pageGoes = false } = {}) {
    const url = `${this.#place}/${what}`;
    if (pageGoes) navigator.sendBeacon(url, new Blob([this.#token], { type: "text/plain" }));
    else tell(url, this.#token);
  }

  /** Something is wrong, and the call goes on. */
  #trouble(code) {
    this.problem = { code, message: MESSAGES[code] };
    this.#changed();
  }

  #fail(code, detail) {
    if (!this.isLive) return;
    if (this.#place) this.#tell("hangup");
    if (detail) console.warn(`The call was refused: ${detail} (${code}).`);
    const message = MESSAGES[code] ?? (OWNERS.test(code) ? NO_PERMISSION : (detail ?? MESSAGES.refused));
    this.#finish("failed", { code, message });
  }

  #finish(ended, problem = null) {
    if (!this.isLive) return;
    Object.assign(this, { ended, problem });
    this.#close();
    this.#to("ended");
  }

  #close() {
    clearTimeout(this.#lost);
    for (const [event, handler] of Object.entries(this.#whilePlaced)) removeEventListener(event, handler);
    const events = this.#events;
    // The last words are still on their way.
    if (events) setTimeout(() => events.abort(), 2000);
    this.#peer?.close();
    if (this.#microphone) stop(this.#microphone);
    this.#audio.srcObject = null;
    this.#peer = this.#microphone = this.#events = this.#place = null;
    this.speaking = null;
  }

  #to(state) {
    this.state = state;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

class Problem extends Error {
  constructor(code, detail) {
    super(detail);
    this.code = code;
  }
}

const MICROPHONE_PROBLEMS = {
  NotAllowedError: "microphone-denied",
  SecurityError: "microphone-denied",
  NotFoundError: "microphone-missing",
  OverconstrainedError: "microphone-missing",
};

async function microphone() {
  if (!navigator.mediaDevices?.getUserMedia) throw new Problem("microphone-insecure");
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw new Problem(MICROPHONE_PROBLEMS[error.name] ?? "microphone-busy");
  }
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

const authorization = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

/** Said once more while the server cannot be reached. */
async function tell(url, token) {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const request = { method: "POST", headers: authorization(token), keepalive: true };
    const response = await fetch(url, request).catch(() => null);
    if (response && response.status < 500) return;
    await pause(AGAIN_MS);
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when all candidates are in the offer, or most of them: nobody takes more later. */
function gathered(peer) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, GATHERING_MS);
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && resolve());
  });
}
