import assert from "node:assert/strict";
import { test } from "node:test";
import { type Notice, type Place, isCalled, moved, placeOf, readNotice, spread, waitInWords } from "../src/access/queue";

const notice = (served: number, more: Partial<Notice["lanes"][0]> = {}): Notice => ({
  isOpen: true, opensInSeconds: null, refreshSeconds: 10, leaseSeconds: 36,
  lanes: [{ name: "general", served, waiting: 50, rate: null, lottery: null, ...more }],
});
const place = (number: number, ahead: number): Place => ({ lane: "general", number, ahead, etaSeconds: null });

test("a lottery gives each of those who came before the opening one place, and leaves the others theirs", () => {
  const lottery = { first: 10, end: 110, multiplier: 37, offset: 91 };
  const places = Array.from({ length: 100 }, (_, i) => placeOf(10 + i, lottery));
  assert.deepEqual([...places].sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => 10 + i));
  assert.equal(placeOf(9, lottery), 9);
  assert.equal(placeOf(110, lottery), 110);
  assert.equal(placeOf(5, null), 5);
});

test("a place of a large lottery is exact", () => {
  const lottery = { first: 1, end: 1_000_000_008, multiplier: 999_999_937, offset: 123_456_789 };
  assert.equal(placeOf(1_000_000_000, lottery), 1 + Number((999_999_937n * 999_999_999n + 123_456_789n) % 1_000_000_007n));
});

test("those ahead become fewer as the line moves, and never more", () => {
  assert.equal(moved(place(20, 12), notice(5), false).ahead, 12, "two of them have left, which the notice does not tell");
  assert.equal(moved(place(20, 12), notice(15), false).ahead, 4);
  assert.equal(moved(place(20, 3), notice(40), false).ahead, 0);
  assert.equal(moved(place(20, 3), notice(5), true).ahead, 14, "the lot was drawn meanwhile");
  assert.deepEqual(moved({ ...place(20, 3), lane: "gone" }, notice(5), false), { ...place(20, 3), lane: "gone" });
});

test("a waiting time is told when the line is known to move, and only then", () => {
  assert.equal(moved(place(20, 9), notice(10, { rate: 0.5 }), false).etaSeconds, 20);
  assert.equal(moved(place(20, 9), notice(10), false).etaSeconds, null);
  assert.equal(moved(place(20, 9), notice(10, { rate: 0 }), false).etaSeconds, null);
  assert.equal(moved(place(20, 9), { ...notice(10, { rate: 2 }), isOpen: false }, false).etaSeconds, null);
});

test("a ticket is called when its place is served", () => {
  assert.equal(isCalled(place(20, 0), notice(19)), false);
  assert.equal(isCalled(place(20, 0), notice(20)), true);
});

test("intervals are spread by up to a fifth, always alike for one number", () => {
  const all = Array.from({ length: 1000 }, (_, i) => spread(10, i));
  assert.ok(all.every((s) => s >= 10 && s <= 12));
  assert.ok(new Set(all).size > 100 && Math.max(...all) > 11.9 && Math.min(...all) < 10.1);
  assert.equal(spread(10, 4711), spread(10, 4711));
});

test("what is no notice is none", () => {
  assert.equal(readNotice(null), null);
  assert.equal(readNotice({ lanes: [] }), null);
  assert.equal(readNotice({ refresh_seconds: 10 }), null);
  const read = readNotice({ channel: "x", open: false, opens_in_seconds: 5, refresh_seconds: 10, lease_seconds: 36, lanes: [{ name: "a", served: 1, next: 3, waiting: 2 }] });
  assert.deepEqual(read, {
    isOpen: false, opensInSeconds: 5, refreshSeconds: 10, leaseSeconds: 36, lanes: [{ name: "a", served: 1, waiting: 2, rate: null, lottery: null }],
  });
});

test("a waiting time is never told to the second", () => {
  assert.equal(waitInWords(null), "not known yet");
  assert.equal(waitInWords(12), "under a minute");
  assert.equal(waitInWords(61), "about 2 min");
  assert.equal(waitInWords(5400), "about 1.5 h");
});
