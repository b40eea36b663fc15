import assert from "node:assert/strict";
import { test } from "node:test";
import { dayOf, shifted, startOf } from "../../../runner/console/format/days.js";
import { endedWord, ending } from "../../../runner/console/format/ends.js";
import { clock, counted, dayAndTime, money, party, phone, span, timeOfDay } from "../../../runner/console/format/format.js";

/** @param {(given: any) => string} of @param {[any, string][]} table */
function table(of, table) {
  for (const [given, shown] of table) assert.equal(of(given), shown, `of ${given}`);
}

test("a duration reads as a clock", () => table(clock, [
  [-3, "0:00"], [0, "0:00"], [59.99, "0:59"], [60, "1:00"], [603, "10:03"], [3600, "1:00:00"], [3729, "1:02:09"],
]));

test("a short duration has its unit, and no more figures than are felt", () => table(span, [
  [0, "0 ms"], [0.8404, "840 ms"], [0.9994, "999 ms"], [0.9996, "1.0 s"], [5.66, "5.7 s"], [9.94, "9.9 s"], [9.96, "10 s"],
  [48.2, "48 s"], [119.6, "120 s"], [121, "2:01"],
]));

test("money shows tenths of a cent while there are only cents, and says when it is not known", () => table(money, [
  [null, "–"], [0, "$0.00"], [0.0421, "$0.042"], [0.1, "$0.10"], [1.236, "$1.24"], [1234.5, "$1,235"],
]));

test("numbers stand in groups", () => table(phone, [
  ["+14155550100", "+1 415 555 0100"], ["+4930123456", "+49 30 123 456"], ["+34912345678", "+34 912 345 678"],
  ["+3531234567", "+353 1 234 567"], ["sip:anna@maple.example", "sip:anna@maple.example"], ["+1415", "+1415"],
]));

test("a caller without a number is said to be one", () => table(party, [
  [null, "number withheld"], ["", "number withheld"], ["+14155550100", "+1 415 555 0100"],
]));

test("times are of the reader's zone", () => {
  assert.equal(timeOfDay(1_795_615_389, "Europe/Madrid"), "15:03:09");
  assert.equal(dayAndTime(1_795_615_389, "UTC"), "25 Nov, 14:03");
});

test("an end reads as a sentence, and is found by either form", () => {
  table(ending, [["caller_hung_up", "caller hung up"], ["hangup", "agent hung up"], ["some_new_end", "some new end"]]);
  table(endedWord, [["Agent hung up", "hangup"], ["caller_hung_up", "caller_hung_up"], [" max cost ", "max_cost"], ["", ""]]);
});

test("one is one", () => {
  assert.equal(counted(1, "call"), "1 call");
  assert.equal(counted(2000, "call"), "2,000 calls");
});

test("days go from month to month, and what is not a day is none", () => {
  assert.equal(shifted("2026-11-30", 1), "2026-12-01");
  assert.equal(shifted("2026-03-01", -1), "2026-02-28");
  assert.equal(dayOf(/** @type {Date} */ (startOf("2026-11-25"))), "2026-11-25");
  for (const none of [null, "", "tomorrow", "2026-1-2"]) assert.equal(startOf(none), null);
});
