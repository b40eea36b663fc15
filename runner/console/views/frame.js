/** What stands around every page: the first line, where one is, the connection, who one is. */

import { ROOT } from "../paths.js";
import { el, setAttribute, setText, sign, svg } from "./dom.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {import("../wire.js").Session} Session */

/** @type {Record<string, readonly [string, string]>} */
const CONNECTIONS = {
  none: ["quiet", ""],
  connecting: ["waiting", "connecting"],
  connected: ["good", "connected"],
  reconnecting: ["bad", "reconnecting"],
  refused: ["bad", "no access"],
};

/** @type {readonly (readonly [string, string, string])[]} */
const PAGES = [["live", ROOT, "Live"], ["recent", `${ROOT}recent`, "Recent"], ["day", `${ROOT}day`, "The day"]];

export class Frame {
  main = el("main", { id: "page", tabindex: "-1" });
  #state;
  #links = PAGES.map(([page, href, name]) => ({ page, link: el("a", { href }, name) }));
  #sign = sign("quiet");
  #word = el("span");
  #connection = el("p", { class: "connection", role: "status" }, this.#sign, this.#word);
  #names = [el("span", { class: "who" }), el("span")];
  #spoken = el("p", { class: "unseen", role: "status" });

  /** @param {State} state @param {() => void} signOut */
  constructor(state, signOut) {
    this.#state = state;
    const leave = () => el("button", { type: "button", class: "plain", onclick: signOut }, "Sign out");
    document.body.replaceChildren(
      el("header", {},
        el("p", { class: "first-line" }, "You can read calls here, but not listen to them."),
        el("a", { class: "skip", href: "#page", onclick: (/** @type {Event} */ event) => this.#skip(event) }, "Skip to the page"),
        el("div", { class: "top" },
          el("a", { class: "brand", href: ROOT, "aria-label": "phone-agents, live calls" }, mark(), el("span", {}, "phone-agents")),
          el("nav", { "aria-label": "Pages" }, ...this.#links.map(({ link }) => link)),
          el("div", { class: "self" }, this.#connection, this.#names[0], leave(), themeButton()))),
      this.main,
      el("footer", { class: "foot" }, this.#names[1], leave()),
      this.#spoken,
    );
  }

  /** @param {string} page @param {Session | null} session */
  at(page, session) {
    for (const { page: own, link } of this.#links) setAttribute(link, "aria-current", own === page ? "page" : null);
    document.body.classList.toggle("signed-out", session === null);
    for (const name of this.#names) setText(name, session === null ? "" : session.may === "watch" ? `${session.by} (may watch)` : session.by);
  }

  /** Told to a screen reader, at once and once. @param {string} text */
  announce(text) {
    this.#spoken.textContent = text;
  }

  update() {
    const [shape, word] = CONNECTIONS[this.#state.connection];
    setAttribute(this.#sign, "data-sign", shape);
    setText(this.#word, word);
    this.#connection.hidden = word === "";
  }

  /** @param {Event} event */
  #skip(event) {
    event.preventDefault();
    this.main.focus();
  }
}

export function mark() {
  return svg("svg", { class: "mark", viewBox: "0 0 32 32", "aria-hidden": "true" },
    svg("rect", { width: 32, height: 32, rx: 8 }),
    svg("path", { d: "M8 14v4M13 10v12M18.5 12.5v7M24 14.5v3" }));
}

const THEME = "phone-agents theme";

/** Light or dark as the system says, until somebody chooses otherwise. */
export function applyTheme() {
  const chosen = localStorage.getItem(THEME);
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}

function themeButton() {
  const isDark = () =>
    (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const button = el("button", { type: "button", class: "icon", "aria-label": "Dark", "aria-pressed": String(isDark()) },
    svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
      svg("circle", { cx: 8, cy: 8, r: 5.5, class: "ring" }), svg("path", { d: "M8 2.5a5.5 5.5 0 0 1 0 11z" })));
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    localStorage.setItem(THEME, theme);
    document.documentElement.dataset.theme = theme;
    setAttribute(button, "aria-pressed", String(theme === "dark"));
  });
  return button;
}
