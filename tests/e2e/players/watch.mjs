// Watches the viewer page in headless Chromium, and says what it saw: a JSON object a line on standard output.
//
//   node watch.mjs PAGE_URL SECONDS SCREENSHOT [WAITING_ROOM_SCREENSHOT]
//
// {"event":"playing"} when the picture moves, then {"event":"done", …} when currentTime has advanced by SECONDS.
// {"event":"failed", …} and exit 1 when that did not happen in three times as long.
// With WAITING_ROOM_SCREENSHOT: before, {"event":"waiting", …} when the page shows the waiting room; afterwards it leaves the page, says
// {"event":"left"} and stays until standard input ends.
import { inBrowser, say, watchFor } from "./browser.mjs";

const [pageUrl, secondsText, screenshot, waitingRoomScreenshot] = process.argv.slice(2);
const kRoomMs = 40_000;

const observed = (page) => () =>
  page.evaluate(() => {
    const { state, engine, message, fragments, stalls, errors, position, behindLiveSeconds, droppedFrames } = window.tribune ?? {};
    const video = document.querySelector("video");
    const quality = video?.getVideoPlaybackQuality();
    return {
      state, engine, message, fragments, stalls, errors, position, behindLiveSeconds, droppedFrames,
      door: window.tribuneDoor,
      waitingRoom: document.querySelector(".room")?.innerText ?? null,
      title: document.title,
      currentTime: video?.currentTime ?? null,
      shownFrames: quality ? quality.totalVideoFrames - quality.droppedVideoFrames : null,
    };
  });

async function lookAtWaitingRoom(page) {
  await page.waitForSelector(".room :is(dl, .room-ahead)", { timeout: kRoomMs });
  // Both the balancer and the notice have been asked.
  await page.waitForFunction(() => window.tribuneDoor.state !== "queued" || Object.keys(window.tribuneDoor.notices).length > 0, null, { timeout: kRoomMs });
  await page.screenshot({ path: waitingRoomScreenshot });
  say("waiting", await observed(page)());
}

async function leave(page) {
  await page.goto(new URL("/api/v1/channels", pageUrl).href);
  say("left");
  await new Promise((over) => process.stdin.resume().once("end", over));
}

process.exitCode = await inBrowser(async (page, complaints) => {
  try {
    await page.goto(pageUrl);
    if (waitingRoomScreenshot) await lookAtWaitingRoom(page);
    const watched = await watchFor(page, Number(secondsText), observed(page));
    await page.screenshot({ path: screenshot });
    say("done", { ...watched, after: await observed(page)(), complaints });
    if (waitingRoomScreenshot) await leave(page);
    return 0;
  } catch (error) {
    await page.screenshot({ path: screenshot }).catch(() => {});
    say("failed", { text: String(error), after: await observed(page)().catch(() => null), complaints });
    return 1;
  }
});
