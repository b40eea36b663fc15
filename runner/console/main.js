/** The console: which page is shown, who is signed in, and one rendering for each frame in which something changed. */

import { Refusal, get, post } from "./api.js";
import { place } from "./paths.js";
import { State } from "./state/state.js";
import { callPage } from "./views/call.js";
import { dayPage } from "./views/day.js";
import { el } from "./views/dom.js";
import { Frame, applyTheme } from "./views/frame.js";
import { livePage } from "./views/live.js";
import { recentPage } from "./views/recent.js";
import { signInPage } from "./views/sign_in.js";

/** @typedef {import("./wire.js").Session} Session */

/**
 * A page: its element, what brings it up to date, and what ends its streams and timers.
 * @typedef {object} Page
 * @property {HTMLElement} node
 * @property {() => void} update
 * @property {() => void} close
 */

/**
 * What a page may use of the console.
 * @typedef {object} Console
 * @property {State} state
 * @property {Session} session
 * @property {(path: string, how?: {replace?: boolean}) => void} go
 * @property {(text: string) => void} announce to a screen reader
 * @property {(title: string) => void} entitle the page, for the window
 * @property {() => void} signedOut the session is over: ask for a token
 */

applyTheme();
const state = new State();
const frame = new Frame(state, signOut);
/** @type {Session | null} */
let session = null;
/** @type {Page} */
let page = { node: el("div"), update() {}, close() {} };

let isDue = false;
function changed() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    frame.update();
    page.update();
  });
}
state.onChange = changed;
setInterval(changed, 1000); // durations grow

/** @param {string} path @param {{replace?: boolean}} [how] */
function go(path, how = {}) {
  if (how.replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  show({ isMove: true });
}

/** @param {{isMove: boolean}} how the first page leaves the focus where the browser puts it */
function show({ isMove }) {
  page.close();
  state.leave();
  const at = place(location.pathname, location.search);
  page = session === null ? signInPage(signedIn) : opened(at, session);
  frame.at(at.page, session);
  frame.main.replaceChildren(page.node);
  changed();
  if (isMove) {
    scrollTo(0, 0);
    page.node.querySelector("h1")?.focus({ preventScroll: true });
  }
  if (session === null) {
    entitle("Sign in");
    page.node.querySelector("input")?.focus();
  }
}

/** @param {import("./paths.js").Place} at @param {Session} session @returns {Page} */
function opened(at, session) {
  /** @type {Console} */
  const use = { state, session, go, announce: (text) => frame.announce(text), entitle, signedOut: () => signedOut() };
  switch (at.page) {
    case "live": return livePage(use);
    case "call": return callPage(use, at.id);
    case "recent": return recentPage(use, at.look);
    case "day": return dayPage(use, at.look);
    default: {
      entitle("Not found");
      const node = el("div", { class: "empty" }, el("h1", { tabindex: "-1" }, "There is no such page"),
        el("p", {}, el("a", { href: "/console/" }, "Live calls")));
      return { node, update() {}, close() {} };
    }
  }
}

/** @param {string} title */
function entitle(title) {
  document.title = `${title} – phone-agents`;
}

/** @param {Session} own */
function signedIn(own) {
  session = own;
  show({ isMove: true });
}

function signedOut() {
  session = null;
  show({ isMove: false });
}

async function signOut() {
  try {
    await post("/console/sign-out", {});
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    frame.announce(error.message);
    return;
  }
  signedOut();
}

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (!link.pathname.startsWith("/console/")) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
addEventListener("popstate", () => show({ isMove: true }));

try {
  session = await get("/console/session");
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  session = null;
}
show({ isMove: false });
