import assert from "node:assert/strict";
import { test } from "node:test";
import { hostOf, parseCacheStatus } from "../src/player/cache_status";
import { errorMessage, problemDetail } from "../src/player/error_messages";
import { type LoadedFragment, PlaybackStats } from "../src/player/playback_stats";

test("the cache nearest to the viewer is the last of Cache-Status", () => {
  assert.deepEqual(parseCacheStatus("origin-shield; hit, stadium; fwd=miss; stored"), { node: "stadium", outcome: "fill" });
  assert.deepEqual(parseCacheStatus('"city"; hit; ttl=30'), { node: "city", outcome: "hit" });
  assert.deepEqual(parseCacheStatus("city"), { node: "city", outcome: "unknown" });
  assert.equal(parseCacheStatus(null), null);
  assert.equal(parseCacheStatus(" "), null);
});

test("without Cache-Status the host of the final URL names the node", () => {
  assert.equal(hostOf("http://127.0.0.1:8082/media/demo/e/1.ts?tl=x"), "127.0.0.1:8082");
  assert.equal(hostOf("nonsense"), "unknown");
});

test("an error message has the server's reason, or the status", () => {
  assert.equal(errorMessage("manifestLoadError", 404, "no channel has this id"), "The channel's playlist could not be loaded: no channel has this id.");
  assert.equal(errorMessage("fragLoadError", 503, null), "A segment could not be loaded (status 503).");
  assert.equal(errorMessage("somethingNew", null, null), 'Playback reported "somethingNew".');
});

test("the detail of a problem document is read; any other body gives null", () => {
  assert.equal(problemDetail('{"title":"Gone","detail":"The link has expired."}'), "The link has expired.");
  assert.equal(problemDetail('{"title":"Gone"}'), "Gone");
  assert.equal(problemDetail("{broken"), null);
  assert.equal(problemDetail("#EXTM3U"), null);
  assert.equal(problemDetail(undefined), null);
});

test("a stall lasts until playback continues, and is counted once", () => {
  const stats = new PlaybackStats();
  stats.endStall(5);
  stats.beginStall(10, 0.2);
  stats.beginStall(20, 4);
  assert.deepEqual(stats.stalls, [{ at: 10, durationMs: null, bufferSeconds: 0.2 }]);
  stats.endStall(70);
  stats.endStall(90);
  stats.beginStall(100, 3);
  assert.deepEqual(stats.stalls, [{ at: 10, durationMs: 60, bufferSeconds: 0.2 }, { at: 100, durationMs: null, bufferSeconds: 3 }]);
});

test("the last fragment is the last one with video, and the list is bounded", () => {
  const stats = new PlaybackStats();
  const loaded = (sn: number, type: string, node: string): LoadedFragment => ({
    at: sn, sn, type, level: 0, url: "", node, outcome: "hit", bytes: 1, firstByteMs: 1, totalMs: 1, durationSeconds: 2,
  });
  for (let sn = 0; sn < 600; ++sn) stats.addFragment(loaded(sn, "main", sn < 300 ? "stadium" : "city"));
  stats.addFragment(loaded(599, "audio", "city"));
  assert.equal(stats.lastFragment?.type, "main");
  assert.equal(stats.fragments.length, 500);
  assert.deepEqual(stats.nodes, ["stadium", "city"]);
});
