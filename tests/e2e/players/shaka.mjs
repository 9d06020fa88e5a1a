// Watches a playlist with Shaka Player in headless Chromium, and says what it saw, as watch.mjs does. Also each request of Shaka's with what came of it, and
// each segment that reached the MediaSource: a segment that is missing is explained by them.
//
//   node shaka.mjs PLAYLIST_URL SECONDS [SCREENSHOT]
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { inBrowser, say, watchFor } from "./browser.mjs";

const [playlistUrl, secondsText, screenshot] = process.argv.slice(2);
const library = join(dirname(createRequire(import.meta.url).resolve("shaka-player/package.json")), "dist", "shaka-player.compiled.js");

/** In the page: plays, and keeps in `window.seen` what happened. */
async function play(url) {
  shaka.polyfill.installAll();
  const video = document.querySelector("video");
  const player = new shaka.Player();
  const seen = (window.seen = { errors: [], buffering: [], loads: 0, segments: [], inspected: [], appended: [], exchanges: [] });
  const { RequestType, AdvancedRequestType } = shaka.net.NetworkingEngine;
  const wall = () => Date.now() / 1000;
  // What has no code is no error of Shaka's but one of JavaScript.
  const note = ({ severity, code = null, data = [], stack, message }) =>
    seen.errors.push({ wall: wall(), at: video.currentTime, severity, code, data: data.map(String), text: stack ?? message ?? "" });
  player.addEventListener("error", (event) => note(event.detail));
  player.addEventListener("buffering", (event) => seen.buffering.push({ at: video.currentTime, on: event.buffering }));
  player.addEventListener("loading", () => ++seen.loads);
  player.addEventListener("segmentappended", ({ start, end, contentType }) => seen.appended.push({ wall: wall(), start, end, contentType }));
  player.addEventListener("downloadfailed", ({ request, error, httpResponseCode }) =>
    seen.exchanges.push({ wall: wall(), failed: request.uris[0], code: error?.code ?? null, status: httpResponseCode }),
  );
  await player.attach(video);
  const listed = (data) => new TextDecoder().decode(data).split("\n").filter((line) => line && !line.startsWith("#"));
  player.getNetworkingEngine().registerResponseFilter((type, response, context) => {
    const exchange = { wall: wall(), uri: response.originalUri, from: new URL(response.uri).host, status: response.status };
    if (type === RequestType.MANIFEST) exchange.listed = [listed(response.data)[0], listed(response.data).at(-1)];
    seen.exchanges.push(exchange);
    // Shaka's parser looks into a segment before it plays: that is no request of a `segment`. What it read is played without a request, or loaded again.
    if (type === RequestType.SEGMENT && context?.type === AdvancedRequestType.MEDIA_SEGMENT)
      (context.segment ? seen.segments : seen.inspected).push(response.originalUri);
  });
  window.stats = () => player.getStats();
  try {
    await player.load(url);
    await video.play();
  } catch (error) {
    note(error);
  }
}

const observed = (page) => () =>
  page.evaluate(() => {
    const video = document.querySelector("video");
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    const { stallsDetected, gapsJumped } = window.stats();
    return { ...window.seen, currentTime: video.currentTime, shownFrames: totalVideoFrames - droppedVideoFrames, stallsDetected, gapsJumped };
  });

process.exitCode = await inBrowser(async (page, complaints) => {
  try {
    // A document of the same server: browsers let no page of elsewhere reach this machine.
    await page.goto(new URL("/api/v1/channels", playlistUrl).href);
    await page.setContent("<!doctype html><title>Shaka</title><video muted autoplay width=960></video>");
    await page.addScriptTag({ path: library });
    await page.evaluate(play, playlistUrl);
    const watched = await watchFor(page, Number(secondsText), observed(page));
    if (screenshot) await page.screenshot({ path: screenshot });
    say("done", { ...watched, after: await observed(page)(), complaints });
    return 0;
  } catch (error) {
    if (screenshot) await page.screenshot({ path: screenshot }).catch(() => {});
    say("failed", { text: String(error), after: await observed(page)().catch(() => null), complaints });
    return 1;
  }
});
