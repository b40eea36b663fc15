/** What a timeline shows, in seconds and pixels, before anything is drawn. Pure. */

/** @typedef {import("../wire.js").Span} Span */
/** @typedef {{from: number, to: number}} Range */

/** Shorter pauses belong to any conversation. */
export const SILENCE_S = 2.5;

/**
 * Stretches in which nobody speaks, tools do not count as speech. `to` closes what is still open.
 * @param {readonly Span[]} spans
 * @param {number} from
 * @param {number} to
 * @param {number} [least]
 * @returns {Range[]}
 */
export function silences(spans, from, to, least = SILENCE_S) {
  const spoken = spans
    .filter((s) => s.who !== "tool")
    .map((s) => ({ from: s.from, to: s.to ?? to }))
    .sort((a, b) => a.from - b.from);
  /** @type {Range[]} */
  const found = [];
  let quietSince = from;
  for (const s of spoken) {
    if (s.from - quietSince >= least) found.push({ from: quietSince, to: Math.min(s.from, to) });
    quietSince = Math.max(quietSince, s.to);
  }
  if (to - quietSince >= least) found.push({ from: quietSince, to });
  return found;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/**
 * Ticks at round seconds after `origin`, never closer than `apart` pixels: their labels cannot collide.
 * @param {Range} range
 * @param {number} origin
 * @param {number} width pixels
 * @param {number} [apart]
 */
export function ticks(range, origin, width, apart = 64) {
  const seconds = Math.max(range.to - range.from, 1e-6);
  const step = STEPS.find((s) => (s / seconds) * width >= apart) ?? 3600 * Math.ceil((apart * seconds) / width / 3600);
  const out = [];
  for (let n = Math.ceil((range.from - origin) / step) * step; n <= range.to - origin; n += step) out.push(n);
  return out;
}

/**
 * The part of a call to show: all of it, or its last `window` seconds. A live call leaves room on the right.
 * @param {number} began
 * @param {number} end
 * @param {number | null} window null: everything
 * @returns {Range}
 */
export function shown(began, end, window) {
  const to = Math.max(end, began + 20);
  return { from: window === null ? began : Math.max(began, to - window), to };
}

/**
 * A range in pixels, cut at the edges; null when nothing of it is to be seen.
 * @param {Range} range
 * @param {Range} view
 * @param {number} width
 */
export function placed(range, view, width) {
  const scale = width / (view.to - view.from);
  const x1 = Math.max(0, (range.from - view.from) * scale);
  const x2 = Math.min(width, (range.to - view.from) * scale);
  return x2 <= 0 || x1 >= width ? null : { x: x1, width: Math.max(x2 - x1, 1.5) };
}
