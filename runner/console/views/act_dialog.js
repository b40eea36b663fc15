/** The dialog of one act. For an irreversible one it is the confirmation too, and begins on the way out. */

import { control, held } from "./act_form.js";
import { el } from "./dom.js";

/** @typedef {import("../acts/acts.js").Act} Act */
/** @typedef {import("../wire.js").Call} Call */

/**
 * @param {Act} act
 * @param {Call} call
 * @param {(form: Record<string, string | boolean>) => Promise<string | null>} perform null: accepted, else why not
 */
export function openDialog(act, call, perform) {
  const opener = document.activeElement;
  const refusal = el("p", { class: "refusal", role: "alert" });
  const leave = el("button", { type: "button", onclick: () => dialog.close() }, act.irreversible ? "Keep the call" : "Cancel");
  const confirm = el("button", { type: "submit", class: act.irreversible ? "danger" : "primary" }, act.button);
  let isBusy = false;
  const form = el("form", {
    onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (isBusy) return;
      isBusy = true;
      confirm.setAttribute("aria-disabled", "true");
      refusal.textContent = "";
      const why = await perform(held(form, act));
      isBusy = false;
      confirm.removeAttribute("aria-disabled");
      if (why === null) dialog.close();
      else refusal.textContent = why;
    },
  },
    el("h2", { id: "dialog-title" }, act.title),
    el("p", { id: "dialog-explains" }, act.explains, act.irreversible ? el("strong", {}, " This cannot be undone.") : null),
    ...act.fields.map((field) => control(field, call, "dialog")),
    refusal,
    el("div", { class: "buttons" }, leave, confirm));
  const dialog = el("dialog", { "aria-labelledby": "dialog-title", "aria-describedby": "dialog-explains" }, form);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  if (act.irreversible) leave.focus();
  else /** @type {HTMLElement | null} */ (form.querySelector("textarea, select, input:not([type=radio])"))?.focus();
  return dialog;
}
