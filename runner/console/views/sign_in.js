/** The form that asks for a token. It stands in place of the page that was asked for, whose address stays. */

import { Refusal, post } from "../api.js";
import { el } from "./dom.js";
import { mark } from "./frame.js";

/** @typedef {import("../wire.js").Session} Session */

/**
 * @param {(session: Session) => void} signedIn
 * @returns {{node: HTMLElement, update: () => void, close: () => void}}
 */
export function signInPage(signedIn) {
  const input = el("input", {
    id: "token", name: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: "false",
    "aria-describedby": "token-refusal token-hint",
  });
  const refusal = el("p", { class: "refusal", id: "token-refusal", role: "alert" });
  const button = el("button", { class: "primary", type: "submit" }, "Sign in");
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    refusal.textContent = "";
    try {
      signedIn(await post("/console/sign-in", { token: input.value.trim() }));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refusal.textContent = told(error);
      input.setAttribute("aria-invalid", "true");
      input.select();
      input.focus();
    } finally {
      button.removeAttribute("aria-disabled");
    }
  };
  const node = el("div", { class: "sign-in" },
    el("form", { onsubmit: submit },
      mark(),
      el("h1", { tabindex: "-1" }, "Sign in"),
      el("label", { for: "token" }, "Token"),
      input,
      refusal,
      button,
      el("p", { class: "hint", id: "token-hint" },
        "One of the tokens under ", el("code", {}, "server.admin.tokens"), " of the runner. Its name stands beside whatever you do.")));
  return { node, update() {}, close() {} };
}

/** @param {Refusal} refusal */
function told(refusal) {
  if (refusal.status === 401) return "This token is not valid.";
  if (refusal.status === 429) return "Too many attempts from this address. Wait a minute, then try again.";
  return refusal.message;
}
