/** An act's form, made from its row in the table of acts. */

import { el } from "./dom.js";

/** @typedef {import("../acts/acts.js").Act} Act */
/** @typedef {import("../acts/acts.js").Field} Field */
/** @typedef {import("../wire.js").Call} Call */

/**
 * @param {Field} field
 * @param {Call} call
 * @param {string} prefix of ids
 * @returns {HTMLElement}
 */
export function control(field, call, prefix) {
  const id = `${prefix}-${field.name}`;
  const shared = { id, name: field.name, required: field.required ?? false };
  const hint = field.hint ? el("p", { class: "hint", id: `${id}-hint` }, field.hint) : null;
  const described = hint ? { "aria-describedby": `${id}-hint` } : {};
  switch (field.kind) {
    case "check":
      return el("label", { class: "check" }, el("input", { ...shared, type: "checkbox", checked: field.on ?? false }), el("span", {}, field.label));
    case "choice":
      return el("fieldset", { class: "choices" }, el("legend", {}, field.label),
        ...(field.choices ?? []).map(([value, name], n) =>
          el("label", {}, el("input", { type: "radio", name: field.name, value, checked: n === 0 }), el("span", {}, name))));
    case "text":
      return labelled(id, field, el("textarea", { ...shared, ...described, rows: 2, maxlength: 4000 }), hint);
    case "line":
      return labelled(id, field, el("input", { ...shared, ...described, type: "text", autocomplete: "off" }), hint);
    default:
      return labelled(id, field, el("select", { ...shared, ...described },
        ...choices(field, call).map((value) => el("option", { value }, value))), hint);
  }
}

/** @param {Field} field @param {Call} call */
function choices(field, call) {
  const { handoff = [], transfer_to = [], vars = [] } = call.choices ?? {};
  return field.kind === "agent" ? handoff : field.kind === "destination" ? transfer_to : vars;
}

/**
 * Whether the call offers anything to choose from.
 * @param {Act} act
 * @param {Call} call
 */
export function isPossible(act, call) {
  return act.fields.every((field) => !["agent", "destination", "vars"].includes(field.kind) || choices(field, call).length > 0);
}

/** @param {string} id @param {Field} field @param {HTMLElement} input @param {HTMLElement | null} hint */
function labelled(id, field, input, hint) {
  return el("div", { class: "field" }, el("label", { for: id }, field.label), input, hint);
}

/**
 * What the form holds, checks as booleans.
 * @param {HTMLFormElement} form
 * @param {Act} act
 * @returns {Record<string, string | boolean>}
 */
export function held(form, act) {
  const data = new FormData(form);
  return Object.fromEntries(act.fields.map(({ name, kind }) =>
    [name, kind === "check" ? data.has(name) : String(data.get(name) ?? "")]));
}
