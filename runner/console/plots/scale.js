/** Round numbers for an axis. Pure. */

/**
 * Values from zero to at least `most`, at one, two or five times a power of ten.
 * @param {number} most
 * @param {number} [least] between two values
 * @param {number} [lines] about so many
 * @returns {number[]}
 */
export function roundSteps(most, least = 0, lines = 4) {
  if (!(most > 0)) return [0, 1];
  const raw = most / lines;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = Math.max(least, [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw * 0.999) ?? 10 * power);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, n) => Number((n * step).toPrecision(12)));
}
