/** A call that is over, as a test: shown, copied, downloaded. */

import { Refusal, adminPath, getText } from "../api.js";
import { el } from "./dom.js";

/** @param {string} id */
export async function openTest(id) {
  const opener = document.activeElement;
  const text = el("pre", { tabindex: "0", class: "test-text" }, "Loading…");
  const told = el("p", { class: "hint", role: "status" });
  const copy = el("button", { type: "button", class: "primary", onclick: async () => {
    await navigator.clipboard.writeText(text.textContent ?? "");
    told.textContent = "Copied.";
  } }, "Copy");
  const path = adminPath("records", id, "scenario");
  const dialog = el("dialog", { class: "wide", "aria-labelledby": "test-title", "aria-describedby": "test-hint" },
    el("h2", { id: "test-title" }, "A test of this call"),
    el("p", { id: "test-hint" }, "What the caller said and the endpoints replied, with what is expected. It passes as it is: put it beside the agent, and change what should be different."),
    text, told,
    el("div", { class: "buttons" },
      el("button", { type: "button", onclick: () => dialog.close() }, "Close"),
      el("a", { class: "button", href: path, download: `${id}.test.yaml` }, "Download"), copy));
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  try {
    text.textContent = await getText(path);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    text.textContent = error.message;
    copy.disabled = true;
  }
}
