import assert from "node:assert/strict";
import { test } from "node:test";
import { hostOf, readCacheStatus } from "../src/player/nodes";
import { type FragmentSeen, Observed } from "../src/player/observed";
import { inWords, problemOf } from "../src/player/words";

test("the cache nearest to the viewer is the last of Cache-Status", () => {
  assert.deepEqual(readCacheStatus("origin-shield; hit, stadium; fwd=miss; stored"), { node: "stadium", outcome: "fill" });
  assert.deepEqual(readCacheStatus('"city"; hit; ttl=30'), { node: "city", outcome: "hit" });
  assert.deepEqual(readCacheStatus("city"), { node: "city", outcome: "unknown" });
  assert.equal(readCacheStatus(null), null);
  assert.equal(readCacheStatus(" "), null);
});

test("without Cache-Status the host of the final URL names the node", () => {
  assert.equal(hostOf("http://127.0.0.1:8082/media/demo/e/1.ts?tl=x"), "127.0.0.1:8082");
  assert.equal(hostOf("nonsense"), "unknown");
});

test("an error is a sentence with the server's own reason, or its status", () => {
  assert.equal(inWords("manifestLoadError", 404, "no channel has this id"), "The channel's playlist could not be loaded: no channel has this id.");
  assert.equal(inWords("fragLoadError", 503, null), "A segment could not be loaded (status 503).");
  assert.equal(inWords("somethingNew", null, null), 'Playback reported "somethingNew".');
});

test("a problem document gives its detail, anything else nothing", () => {
  assert.equal(problemOf('{"title":"Gone","detail":"The link has expired."}'), "The link has expired.");
  assert.equal(problemOf('{"title":"Gone"}'), "Gone");
  assert.equal(problemOf("{broken"), null);
  assert.equal(problemOf("#EXTM3U"), null);
  assert.equal(problemOf(undefined), null);
});

test("a stall lasts until the picture moves, and is counted once", () => {
  const seen = new Observed();
  seen.endStall(5);
  seen.beginStall(10, 0.2);
  seen.beginStall(20, 4);
  assert.deepEqual(seen.stalls, [{ at: 10, durationMs: null, bufferSeconds: 0.2 }]);
  seen.endStall(70);
  seen.endStall(90);
  seen.beginStall(100, 3);
  assert.deepEqual(seen.stalls, [{ at: 10, durationMs: 60, bufferSeconds: 0.2 }, { at: 100, durationMs: null, bufferSeconds: 3 }]);
});

test("the last segment is the last one of the picture, and old ones are forgotten", () => {
  const seen = new Observed();
  const arrived = (sn: number, type: string, node: string): FragmentSeen => ({
    at: sn, sn, type, level: 0, url: "", node, outcome: "hit", bytes: 1, firstByteMs: 1, totalMs: 1, durationSeconds: 2,
  });
  for (let sn = 0; sn < 600; ++sn) seen.addFragment(arrived(sn, "main", sn < 300 ? "stadium" : "city"));
  seen.addFragment(arrived(599, "audio", "city"));
  assert.equal(seen.lastFragment?.type, "main");
  assert.equal(seen.fragments.length, 500);
  assert.deepEqual(seen.nodes, ["stadium", "city"]);
});
