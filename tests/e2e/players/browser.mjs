// Headless Chromium with a profile of its own, for the scripts that watch; and their way to say what they saw.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

/** A JSON object a line on standard output. */
export const say = (event, more = {}) => process.stdout.write(JSON.stringify({ event, ...more }) + "\n");

/** Calls `use(page, complaints)`; the browser is gone when it returns. `complaints` grows with what the page's console calls errors. */
export async function inBrowser(use) {
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
  try {
    const complaints = [];
    const page = browser.pages()[0] ?? (await browser.newPage());
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      const isIcon = message.location().url.endsWith("/favicon.ico"); // which browsers ask for unasked
      if (message.type() === "error" && !isIcon) complaints.push(message.text());
    });
    return await use(page, complaints);
  } finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

/** The next line on standard input, or its end. */
const told = () =>
  new Promise((done) => {
    process.stdin.once("data", done).once("end", done).resume();
  });

/** Until the picture moves; then until currentTime has advanced by `seconds`, or with 0 until a line comes on standard input. Says "playing";
 *  returns how long the second took. */
export async function watchFor(page, seconds, observed) {
  await page.waitForFunction(() => document.querySelector("video")?.currentTime > 0.5, null, { timeout: 40_000 });
  const before = await observed();
  say("playing", before);
  const began = Date.now();
  if (seconds === 0) {
    await told();
    process.stdin.pause();
    return { before, wallSeconds: (Date.now() - began) / 1000 };
  }
  await page.waitForFunction((until) => document.querySelector("video").currentTime >= until, before.currentTime + seconds, {
    timeout: seconds * 3000,
    polling: 100,
  });
  return { before, wallSeconds: (Date.now() - began) / 1000 };
}
