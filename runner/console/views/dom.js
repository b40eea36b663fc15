/** Making and mending elements. Text goes in as text: nowhere in the console is a string read as HTML. */

/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Attributes */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes] `on…` are listeners; true sets an attribute without a value, false and null set none
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function svg(tag, attributes = {}, ...children) {
  return filled(/** @type {SVGElementTagNameMap[T]} */ (document.createElementNS(SVG, tag)), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} node
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

/** @param {Element} node @param {Child[]} children */
function append(node, children) {
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

/** Text, unless it is there already: a write costs a layout. @param {Element} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {Element} node @param {string} name @param {string | boolean | null} value */
export function setAttribute(node, name, value) {
  if (value === null || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== (value === true ? "" : value)) {
    node.setAttribute(name, value === true ? "" : value);
  }
}

/** @param {Element} node @param {...Child} children */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

/**
 * A list whose elements stay what they are while their things change: focus, selection and open details survive.
 * @template T
 */
export class KeyedList {
  /** @type {Map<string, {node: HTMLElement, update: (thing: T) => void}>} */
  #entries = new Map();

  /**
   * @param {HTMLElement} parent
   * @param {(thing: T) => string} key
   * @param {(thing: T) => {node: HTMLElement, update: (thing: T) => void}} make
   */
  constructor(parent, key, make) {
    this.parent = parent;
    this.key = key;
    this.make = make;
  }

  /** @param {readonly T[]} things */
  update(things) {
    const keys = new Set(things.map(this.key));
    for (const [key, { node }] of this.#entries) {
      if (!keys.has(key)) {
        node.remove();
        this.#entries.delete(key);
      }
    }
    /** @type {Element | null} */
    let next = this.parent.firstElementChild;
    for (const thing of things) {
      const key = this.key(thing);
      let entry = this.#entries.get(key);
      if (!entry) this.#entries.set(key, (entry = this.make(thing)));
      entry.update(thing);
      if (entry.node === next) next = next.nextElementSibling;
      else this.parent.insertBefore(entry.node, next);
    }
  }

  get size() {
    return this.#entries.size;
  }
}

/**
 * A sign for who or what, of a shape of its own: nothing is told by colour alone.
 * @param {string} name caller, agent, tool, person, quiet, good, bad, mixed, waiting
 */
export function sign(name) {
  return el("span", { class: "sign", "data-sign": name, "aria-hidden": "true" });
}
