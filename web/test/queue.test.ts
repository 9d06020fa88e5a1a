import assert from "node:assert/strict";
import { test } from "node:test";
import { type Place, type QueueStatus, isCalled, parseQueueStatus, placeOf, updatedPlace, withJitter } from "../src/access/queue";
import { formatWaitingTime } from "../src/view/format";

const status = (served: number, more: Partial<QueueStatus["lanes"][0]> = {}): QueueStatus => ({
  isOpen: true, opensInSeconds: null, refreshSeconds: 10, leaseSeconds: 36,
  lanes: [{ name: "general", served, waiting: 50, rate: null, lottery: null, ...more }],
});
const place = (number: number, ahead: number): Place => ({ lane: "general", number, ahead, etaSeconds: null });

test("a lottery gives each ticket from before the opening one place, and leaves later tickets theirs", () => {
  const lottery = { first: 10, end: 110, multiplier: 37, offset: 91 };
  const places = Array.from({ length: 100 }, (_, i) => placeOf(10 + i, lottery));
  assert.deepEqual([...places].sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => 10 + i));
  assert.equal(placeOf(9, lottery), 9);
  assert.equal(placeOf(110, lottery), 110);
  assert.equal(placeOf(5, null), 5);
});

test("a place in a large lottery is computed exactly", () => {
  const lottery = { first: 1, end: 1_000_000_008, multiplier: 999_999_937, offset: 123_456_789 };
  assert.equal(placeOf(1_000_000_000, lottery), 1 + Number((999_999_937n * 999_999_999n + 123_456_789n) % 1_000_000_007n));
});

test("the number ahead falls as the queue moves, and never grows", () => {
  assert.equal(updatedPlace(place(20, 12), status(5), false).ahead, 12, "two of them have left, which the status does not show");
  assert.equal(updatedPlace(place(20, 12), status(15), false).ahead, 4);
  assert.equal(updatedPlace(place(20, 3), status(40), false).ahead, 0);
  assert.equal(updatedPlace(place(20, 3), status(5), true).ahead, 14, "the lottery was drawn in between");
  assert.deepEqual(updatedPlace({ ...place(20, 3), lane: "gone" }, status(5), false), { ...place(20, 3), lane: "gone" });
});

test("a waiting time is estimated only while the queue has a known rate", () => {
  assert.equal(updatedPlace(place(20, 9), status(10, { rate: 0.5 }), false).etaSeconds, 20);
  assert.equal(updatedPlace(place(20, 9), status(10), false).etaSeconds, null);
  assert.equal(updatedPlace(place(20, 9), status(10, { rate: 0 }), false).etaSeconds, null);
  assert.equal(updatedPlace(place(20, 9), { ...status(10, { rate: 2 }), isOpen: false }, false).etaSeconds, null);
});

test("a ticket is called when its place is served", () => {
  assert.equal(isCalled(place(20, 0), status(19)), false);
  assert.equal(isCalled(place(20, 0), status(20)), true);
});

test("jitter adds up to a fifth to an interval, always the same for one number", () => {
  const all = Array.from({ length: 1000 }, (_, i) => withJitter(10, i));
  assert.ok(all.every((s) => s >= 10 && s <= 12));
  assert.ok(new Set(all).size > 100 && Math.max(...all) > 11.9 && Math.min(...all) < 10.1);
  assert.equal(withJitter(10, 4711), withJitter(10, 4711));
});

test("a body that is not a queue status gives null", () => {
  assert.equal(parseQueueStatus(null), null);
  assert.equal(parseQueueStatus({ lanes: [] }), null);
  assert.equal(parseQueueStatus({ refresh_seconds: 10 }), null);
  const read = parseQueueStatus({ channel: "x", open: false, opens_in_seconds: 5, refresh_seconds: 10, lease_seconds: 36, lanes: [{ name: "a", served: 1, next: 3, waiting: 2 }] });
  assert.deepEqual(read, {
    isOpen: false, opensInSeconds: 5, refreshSeconds: 10, leaseSeconds: 36, lanes: [{ name: "a", served: 1, waiting: 2, rate: null, lottery: null }],
  });
});

test("a waiting time is never shown to the second", () => {
  assert.equal(formatWaitingTime(null), "not known yet");
  assert.equal(formatWaitingTime(12), "under a minute");
  assert.equal(formatWaitingTime(61), "about 2 min");
  assert.equal(formatWaitingTime(5400), "about 1.5 h");
});
