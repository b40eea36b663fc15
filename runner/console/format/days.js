/** Days in the reader's time zone, as date fields hold them and as the API takes them. Pure. */

/** @param {Date} date */
export function dayOf(date) {
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/**
 * The first instant of a day, or of the one so many days later; null for what is not a day.
 * @param {string | null} day `2026-11-25`
 * @param {number} [later]
 */
export function startOf(day, later = 0) {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day ?? "");
  if (!parts) return null;
  const date = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]) + later);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** @param {string} day @param {number} days */
export function shifted(day, days) {
  const date = startOf(day, days);
  return date ? dayOf(date) : day;
}
