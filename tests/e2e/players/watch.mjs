// Watches the viewer page in headless Chromium, and says what it saw: a JSON object a line on standard output.
//
//   node watch.mjs PAGE_URL SECONDS [SCREENSHOT]
//
// {"event":"playing"} when the picture moves, then {"event":"done", …} when currentTime has advanced by SECONDS.
// {"event":"failed", …} and exit 1 when that did not happen in three times as long.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [pageUrl, secondsText, screenshot] = process.argv.slice(2);
const seconds = Number(secondsText);
const say = (event, more = {}) => process.stdout.write(JSON.stringify({ event, ...more }) + "\n");
const kFirstPictureMs = 40_000;

const profile = mkdtempSync(join(tmpdir(), "tribune-chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  viewport: { width: 1280, height: 1020 },
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
  ],
});

const complaints = [];
let code = 0;
const page = browser.pages()[0] ?? (await browser.newPage());
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));

const observed = () =>
  page.evaluate(() => {
    const { state, engine, message, fragments, stalls, errors, position, behindLiveSeconds, droppedFrames } = window.tribune ?? {};
    const video = document.querySelector("video");
    const quality = video?.getVideoPlaybackQuality();
    return {
      state, engine, message, fragments, stalls, errors, position, behindLiveSeconds, droppedFrames,
      currentTime: video?.currentTime ?? null,
      shownFrames: quality ? quality.totalVideoFrames - quality.droppedVideoFrames : null,
    };
  });

try {
  await page.goto(pageUrl);
  await page.waitForFunction(() => document.querySelector("video")?.currentTime > 0.5, null, { timeout: kFirstPictureMs });
  const before = await observed();
  say("playing", { currentTime: before.currentTime });
  const began = Date.now();
  await page.waitForFunction((until) => document.querySelector("video").currentTime >= until, before.currentTime + seconds, {
    timeout: seconds * 3000,
    polling: 100,
  });
  const wallSeconds = (Date.now() - began) / 1000;
  if (screenshot) await page.screenshot({ path: screenshot });
  say("done", { wallSeconds, before, after: await observed(), complaints });
} catch (error) {
  code = 1;
  if (screenshot) await page.screenshot({ path: screenshot }).catch(() => {});
  say("failed", { text: String(error), after: await observed().catch(() => null), complaints });
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(code);
