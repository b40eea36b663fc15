// The page /talk/AGENT: press to call, hear, read along, hang up.

import { Call } from "/talk.js";

const STATES = {
  idle: "Press to call. You will be asked for your microphone.",
  asking: "Waiting for your microphone …",
  connecting: "Connecting …",
  talking: "Connected. Speak freely.",
  lost: "Not connected.",
  ended: "The call has ended.",
  failed: "The call did not begin.",
};
const SPEAKERS = { caller: "You", agent: "Agent" };

const element = (id) => document.getElementById(id);
const agent = decodeURIComponent(location.pathname.split("/")[2] ?? "");
// A link may bring the token behind #; it does not stay in the address.
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
if (token) history.replaceState(null, "", location.pathname);

const call = new Call({ token, agent });
element("name").textContent = agent;
document.title = `Talk to ${agent}`;

element("call").onclick = () => (call.isLive ? call.hangUp() : call.start());
element("mute").onclick = () => (call.muted = !call.muted);
element("sound").onclick = () => call.turnSoundOn();

function line(...parts) {
  const item = document.createElement("li");
  for (const [tag, text] of parts) {
    const part = document.createElement(tag);
    part.textContent = text;
    item.append(part);
  }
  return item;
}

/** Only what is new or different is touched, so that a screen reader reads it once. */
function fill(list, items, key) {
  while (list.children.length > items.length) list.lastChild.remove();
  items.forEach((item, index) => {
    const now = key(item);
    const old = list.children[index];
    if (old?.dataset.key === now) return;
    const made = item.made();
    made.dataset.key = now;
    if (old) old.replaceWith(made);
    else list.append(made);
  });
}

const turnList = element("turns");
const toolList = element("tool-list");
/** How far each list is from its end, as its reader has left it. */
const unread = new Map([
  [turnList, 0],
  [toolList, 0],
]);
const NEAR = 40;

/** What is new is in sight, unless somebody reads further up. */
function keepEnd(list, change = () => {}) {
  change();
  if (unread.get(list) < NEAR) list.scrollTop = list.scrollHeight;
}

for (const list of unread.keys()) {
  list.addEventListener("scroll", () => unread.set(list, list.scrollHeight - list.scrollTop - list.clientHeight));
  new ResizeObserver(() => keepEnd(list)).observe(list);
}

let hasBegun = false;

function render() {
  const { state, problem, turns, tools, speaking } = call;
  if (state === "asking") hasBegun = false;
  if (state === "talking") hasBegun = true;
  const listening = { caller: "Listening …", agent: "Speaking …" }[speaking];
  const shown = state === "ended" && problem && !hasBegun ? "failed" : state;
  element("state").textContent = state === "talking" && listening ? listening : STATES[shown];
  element("call").textContent = call.isLive ? "Hang up" : "Call";
  element("call").dataset.live = call.isLive;
  element("mute").hidden = !["talking", "lost"].includes(state);
  element("mute").setAttribute("aria-pressed", call.muted);
  element("sound").hidden = problem?.code !== "audio-blocked";
  element("problem").hidden = !problem;
  element("problem").textContent = problem?.message ?? "";
  document.body.dataset.state = state;
  const said = turns.filter(({ text }) => text).map((turn) => ({
    ...turn,
    made() {
      const item = line(["b", SPEAKERS[turn.role] ?? "Note"], ["span", turn.text]);
      item.dataset.role = turn.role;
      return item;
    },
  }));
  element("nothing").hidden = said.length > 0;
  keepEnd(turnList, () => fill(turnList, said, ({ role, text }) => `${role} ${text}`));
  element("tools").hidden = !tools.length;
  const called = tools.map((tool) => ({
    ...tool,
    made: () =>
      line(
        ["b", `${tool.name} — ${tool.status || "running"}${tool.took_s == null ? "" : `, ${tool.took_s.toFixed(2)} s`}`],
        ["code", tool.error || JSON.stringify(tool.arguments, null, 1).replace(/\n */g, " ")],
      ),
  }));
  const key = ({ name, status, error, arguments: given, took_s }) => JSON.stringify([name, status, error, given, took_s]);
  keepEnd(toolList, () => fill(toolList, called, key));
}

window.call = call; // for people who look with their browser's tools
call.addEventListener("change", render);
render();
