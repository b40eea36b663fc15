/** A call over time: a lane for each who, silences hatched with their seconds. Own SVG, drawn anew when it must be. */

import { clock, counted, span } from "../format/format.js";
import { began } from "../state/list.js";
import { el, svg } from "../views/dom.js";
import { placed, shown, silences, ticks } from "./spans.js";

/** @typedef {import("../wire.js").Call} Call */
/** @typedef {import("./spans.js").Range} Range */

const LANES = /** @type {const} */ (["caller", "agent", "tool", "person"]);
const NAMES = { caller: "caller", agent: "agent", tool: "tools", person: "people" };
const LANE = 22;
const TOP = 20; // the silences' seconds
const AXIS = 20;
const LEFT = 58;
const RIGHT = 10;
const HEIGHT = TOP + LANE * LANES.length + AXIS;
/** A label is at most so wide, in pixels of a figure of 11 px. */
const FIGURE = 6.6;
const RECENT_S = 120;

export class Timeline {
  node = el("figure", { class: "timeline" });
  #picture = svg("svg", { height: HEIGHT, role: "img" });
  #whole = true;
  #choice;
  #drawn = "";
  #width = 0;
  #size;

  /** @param {() => void} changed */
  constructor(changed) {
    const choose = (/** @type {boolean} */ whole) => () => { this.#whole = whole; changed(); };
    this.#choice = el("fieldset", { class: "segments" }, el("legend", { class: "unseen" }, "Part of the call"),
      ...[["Whole call", true], ["Last two minutes", false]].map(([name, whole]) =>
        el("label", {}, el("input", { type: "radio", name: "part", checked: whole === true, onchange: choose(whole === true) }),
          el("span", {}, String(name)))));
    this.node.append(this.#picture, el("figcaption", {},
      el("ul", { class: "legend" },
        el("li", {}, el("span", { class: "swatch hatch" }), "nobody speaks for 2.5 s or longer"),
        el("li", {}, el("span", { class: "swatch cut" }), "cut short, or failed")),
      this.#choice));
    this.#size = new ResizeObserver(([entry]) => {
      this.#width = Math.floor(entry.contentRect.width);
      changed();
    });
    this.#size.observe(this.node);
  }

  close() {
    this.#size.disconnect();
  }

  /** Drawn once a second at most while nothing begins or ends. @param {Call} call @param {number} now */
  update(call, now) {
    if (this.#width === 0) return;
    const end = call.ended_at ?? now;
    const last = call.spans.at(-1);
    const tool = call.tools.at(-1);
    const drawn = [
      Math.floor(end), this.#width, this.#whole, call.spans.length, last?.from, last?.to, call.tools.length, tool?.took_s,
      call.deeds.length,
    ].join(" ");
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const start = began(call);
    this.#choice.hidden = end - start <= RECENT_S;
    const view = shown(start, end, this.#whole ? null : RECENT_S);
    const width = Math.max(80, this.#width - LEFT - RIGHT);
    const quiet = call.spans.length ? silences(call.spans, start, end) : [];
    this.#picture.setAttribute("width", String(this.#width));
    this.#picture.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
    this.#picture.setAttribute("aria-label", summary(call, quiet, end - start));
    this.#picture.replaceChildren(
      hatch(),
      ...lanes(this.#width),
      svg("g", { transform: `translate(${LEFT} 0)` },
        ...axis(view, start, width),
        ...quiet.flatMap((range) => silence(range, view, width)),
        ...bars(call, view, width, end),
        call.ended_at === null ? svg("line", { class: "now", x1: width, x2: width, y1: TOP - 4, y2: HEIGHT - AXIS }) : null,
      ));
  }
}

/** @param {Call} call @param {Range[]} quiet @param {number} seconds */
function summary(call, quiet, seconds) {
  const longest = Math.max(0, ...quiet.map((range) => range.to - range.from));
  const silent = quiet.length ? `${counted(quiet.length, "silence")}, the longest of ${span(longest)}` : "no long silence";
  return `Timeline of ${clock(seconds)}: ${counted(call.tools.length, "tool call")}, ${silent}. The conversation below has the same content.`;
}

function hatch() {
  return svg("defs", {}, svg("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 6, height: 6, class: "hatch-ground" }), svg("line", { x1: 0, x2: 0, y1: 0, y2: 6, class: "hatch-line" })));
}

/** @param {number} width */
function lanes(width) {
  return LANES.flatMap((lane, n) => [
    svg("line", { class: "lane", x1: LEFT, x2: width - RIGHT, y1: middle(n), y2: middle(n) }),
    svg("text", { class: "lane-name", x: 0, y: middle(n) + 4 }, NAMES[lane]),
  ]);
}

/** @param {number} lane */
function middle(lane) {
  return TOP + lane * LANE + LANE / 2;
}

/** @param {Range} view @param {number} start @param {number} width */
function axis(view, start, width) {
  const scale = width / (view.to - view.from);
  return ticks(view, start, width).flatMap((seconds) => {
    const x = (start + seconds - view.from) * scale;
    const label = clock(seconds);
    const half = (label.length * FIGURE) / 2;
    return [
      svg("line", { class: "tick", x1: x, x2: x, y1: TOP, y2: HEIGHT - AXIS }),
      x + half > width + RIGHT ? null : svg("text", { class: "time", x, y: HEIGHT - 5, "text-anchor": "middle" }, label),
    ];
  }).filter((node) => node !== null);
}

/** Its seconds stand above the lanes, and only where they fit. @param {Range} range @param {Range} view @param {number} width */
function silence(range, view, width) {
  const at = placed(range, view, width);
  if (!at) return [];
  const label = span(range.to - range.from);
  const short = label.replace(" s", "");
  const fits = [label, short].find((text) => text.length * FIGURE + 2 <= at.width);
  const box = svg("rect", { class: "silence", x: at.x, width: at.width, y: TOP, height: LANE * LANES.length },
    svg("title", {}, `${label} of silence`));
  return fits
    ? [box, svg("text", { class: "seconds", x: at.x + at.width / 2, y: TOP - 6, "text-anchor": "middle" }, fits)]
    : [box];
}

/** @param {Call} call @param {Range} view @param {number} width @param {number} end */
function bars(call, view, width, end) {
  const out = [];
  for (const one of call.spans) {
    if (one.who === "tool") continue; // drawn from the tools themselves, which know how they ended
    out.push(...bar(one.who, { from: one.from, to: one.to ?? end }, one.interrupted, view, width));
  }
  for (const tool of call.tools) {
    const range = { from: tool.started_at, to: tool.took_s === null ? end : tool.started_at + tool.took_s };
    out.push(...bar("tool", range, isBad(tool.status), view, width, tool.name));
  }
  for (const deed of call.deeds) {
    const at = placed({ from: deed.at, to: deed.at }, view, width);
    if (!at) continue;
    const y = middle(LANES.indexOf("person"));
    out.push(svg("path", { class: "deed", d: `M${at.x} ${y - 6}l6 6-6 6-6-6z` }, svg("title", {}, `${deed.by}: ${deed.what}`)));
  }
  return out;
}

/** @param {string} status */
export function isBad(status) {
  return status === "error" || status === "refused" || status === "unfinished" || status === "not_completed";
}

/**
 * @param {"caller" | "agent" | "tool" | "person"} who
 * @param {Range} range
 * @param {boolean} isCut
 * @param {Range} view
 * @param {number} width
 * @param {string} [name]
 */
function bar(who, range, isCut, view, width, name) {
  const at = placed(range, view, width);
  if (!at) return [];
  const y = middle(LANES.indexOf(who)) - 7;
  const box = svg("rect", { class: `bar-${who}`, x: at.x, y, width: at.width, height: 14, rx: Math.min(3, at.width / 2) },
    svg("title", {}, `${name ?? who}, ${span(range.to - range.from)}${isCut ? (name ? ", failed" : ", cut short") : ""}`));
  return isCut
    ? [box, svg("rect", { class: "cut", x: at.x + at.width - 1.5, y: y - 3, width: 3, height: 20, rx: 1 })]
    : [box];
}
