// Watches a playlist with Chromium's own HLS player (`<video src>`), and reports what it saw, as watch.mjs does.
//
//   node native.mjs PLAYLIST_URL SECONDS [SCREENSHOT]
//
// With the fragment #crossorigin the element has the attribute `crossorigin`.
import { inBrowser, say, watchFor } from "./browser.mjs";

const [url, secondsText, screenshot] = process.argv.slice(2);
const [playlistUrl, fragment] = url.split("#");
const attribute = fragment === "crossorigin" ? "crossorigin=anonymous" : "";

const observed = (page) => () =>
  page.evaluate(() => {
    const video = document.querySelector("video");
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    const error = video.error && { code: video.error.code, message: video.error.message };
    return { ...window.seen, error, currentTime: video.currentTime, shownFrames: totalVideoFrames - droppedVideoFrames };
  });

process.exitCode = await inBrowser(async (page, complaints) => {
  const causes = []; // what Chromium's media log calls errors: the element itself says only that it cannot play
  try {
    const session = await page.context().newCDPSession(page);
    await session.send("Media.enable");
    session.on("Media.playerErrorsRaised", ({ errors }) => causes.push(...errors));
    // A document of the same server: browsers let no page of elsewhere reach this machine.
    await page.goto(new URL("/api/v1/channels", playlistUrl).href);
    await page.setContent(`<!doctype html><title>Native HLS</title><video muted autoplay width=960 ${attribute}></video>`);
    await page.evaluate((source) => {
      const video = document.querySelector("video");
      window.seen = { waiting: [] };
      video.addEventListener("waiting", () => window.seen.waiting.push({ at: video.currentTime }));
      video.src = source;
    }, playlistUrl);
    const watched = await watchFor(page, Number(secondsText), observed(page));
    if (screenshot) await page.screenshot({ path: screenshot });
    say("done", { ...watched, after: await observed(page)(), complaints, causes });
    return 0;
  } catch (error) {
    if (screenshot) await page.screenshot({ path: screenshot }).catch(() => {});
    say("failed", { text: String(error), after: await observed(page)().catch(() => null), complaints, causes });
    return 1;
  }
});
