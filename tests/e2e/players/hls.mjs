// Watches a playlist with hls.js, of the viewer page's version and without the page, in headless Chromium; says what it saw, as watch.mjs does.
//
//   node hls.mjs PLAYLIST_URL SECONDS [SCREENSHOT]
import { fileURLToPath } from "node:url";
import { inBrowser, say, watchFor } from "./browser.mjs";

const [playlistUrl, secondsText, screenshot] = process.argv.slice(2);
const library = fileURLToPath(new URL("../../../web/node_modules/hls.js/dist/hls.min.js", import.meta.url));

/** In the page: plays, and keeps in `window.seen` what happened. */
function play(url) {
  const seen = (window.seen = { errors: [], fragments: [] });
  const hls = new Hls();
  hls.on(Hls.Events.ERROR, (_, { fatal, details, response }) => seen.errors.push({ fatal, details, status: response?.code ?? null }));
  hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) => frag.sn !== "initSegment" && seen.fragments.push({ sn: frag.sn, type: frag.type }));
  hls.loadSource(url);
  hls.attachMedia(document.querySelector("video"));
}

const observed = (page) => () => page.evaluate(() => ({ ...window.seen, currentTime: document.querySelector("video").currentTime }));

process.exitCode = await inBrowser(async (page, complaints) => {
  try {
    await page.goto(new URL("/api/v1/channels", playlistUrl).href); // a document of the same server
    await page.setContent("<!doctype html><title>hls.js</title><video muted autoplay width=960></video>");
    await page.addScriptTag({ path: library });
    await page.evaluate(play, playlistUrl);
    const watched = await watchFor(page, Number(secondsText), observed(page));
    if (screenshot) await page.screenshot({ path: screenshot });
    say("done", { ...watched, after: await observed(page)(), complaints });
    return 0;
  } catch (error) {
    say("failed", { text: String(error), after: await observed(page)().catch(() => null), complaints });
    return 1;
  }
});
