/** Values as people read them: durations, money, numbers, times of day. Pure; knows no page. */

/**
 * A duration as a clock shows it: `0:47`, `12:03`, `1:02:09`.
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const h = Math.floor(whole / 3600);
  const m = Math.floor((whole % 3600) / 60);
  const s = String(whole % 60).padStart(2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

/**
 * A short duration: `840 ms`, `5.7 s`, `48 s`, and from two minutes on as a clock.
 * @param {number} seconds
 */
export function span(seconds) {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return clock(seconds);
}

/**
 * Dollars; a tenth of a cent is worth showing while a call costs only cents.
 * @param {number | null} usd null: the price of something in it is unknown
 */
export function money(usd) {
  if (usd === null) return "–";
  if (usd !== 0 && Math.abs(usd) < 0.1) return `$${usd.toFixed(3)}`;
  if (Math.abs(usd) < 1000) return `$${usd.toFixed(2)}`;
  return `$${Math.round(usd).toLocaleString("en-US")}`;
}

/** @param {number} n */
export function count(n) {
  return n.toLocaleString("en-US");
}

/**
 * `1 call`, `2 calls`.
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 */
export function counted(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/**
 * `a`, `a and b`, `a, b and c`.
 * @param {readonly string[]} names
 */
export function listed(names) {
  return new Intl.ListFormat("en-GB", { type: "conjunction" }).format(names);
}

/**
 * A telephone number in groups. What is not E.164 stays as it came; nothing is guessed about a country's own groups
 * but for North America, where they are fixed.
 * @param {string} number
 */
export function phone(number) {
  const nanp = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  if (nanp) return `+1 ${nanp[1]} ${nanp[2]} ${nanp[3]}`;
  if (!/^\+\d{7,15}$/.test(number)) return number;
  const code = callingCode(number);
  const rest = number.slice(code.length);
  return `${code} ${(rest.match(/\d{1,3}(?=(?:\d{3})*$|\d{1,2}$)/g) ?? [rest]).join(" ")}`;
}

const TWO_DIGITS = new Set(
  ("20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 " +
   "81 82 84 86 90 91 92 93 94 95 98").split(" "));

/** @param {string} number */
function callingCode(number) {
  if (number[1] === "1" || number[1] === "7") return number.slice(0, 2);
  return TWO_DIGITS.has(number.slice(1, 3)) ? number.slice(0, 3) : number.slice(0, 4);
}

/**
 * Who calls, for people: a number, an address, or that it is withheld.
 * @param {string | null} address
 */
export function party(address) {
  return address === null || address === "" ? "number withheld" : phone(address);
}

/**
 * The time of day in the reader's time zone, `14:03:09`.
 * @param {number} at
 * @param {string} [zone]
 */
export function timeOfDay(at, zone) {
  return new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone,
  }).format(at * 1000);
}

/**
 * Day and time without seconds, `25 Nov, 14:03`.
 * @param {number} at
 * @param {string} [zone]
 */
export function dayAndTime(at, zone) {
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: zone }).format(at * 1000);
  return `${day}, ${timeOfDay(at, zone).slice(0, 5)}`;
}

/**
 * A machine's word for people: `caller_hung_up` → `caller hung up`.
 * @param {string} word
 */
export function words(word) {
  return word.replaceAll("_", " ");
}

/**
 * A JSON value as text: strings as they are, the rest with two blanks of indent.
 * @param {import("../wire.js").Json | undefined} value
 */
export function jsonText(value) {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
