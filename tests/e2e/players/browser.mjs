// Headless Chromium with a profile of its own, for the scripts that watch; and their way to say what they saw.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const kProgram = process.env.CHROMIUM ?? "/usr/bin/chromium";
const kArguments = [
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
];

/** A JSON object a line on standard output. */
export const say = (event, more = {}) => process.stdout.write(JSON.stringify({ event, ...more }) + "\n");

/** Calls `use(page, complaints)`; the browser is gone when it returns. `complaints` grows with what the page's console calls errors.
 *  `more`: arguments of Chromium. */
export async function inBrowser(use, more = []) {
  const profile = mkdtempSync(join(tmpdir(), "tribune-chromium-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: kProgram,
    headless: true,
    viewport: { width: 1280, height: 1020 },
    args: [...kArguments, ...more],
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

/** Calls `use(tabs, page)` in a Chromium that hides its tabs as a viewer's own does: Playwright's makes each of them believe that it is looked at.
 *  The timers of a hidden page are held back to one a minute after a second, not after five minutes. The browser ends when this process does. */
export async function inTabs(use) {
  const profile = mkdtempSync(join(tmpdir(), "tribune-chromium-"));
  const hidesSoon = "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1";
  const own = ["--headless=new", "--window-size=1280,1020", "--remote-debugging-port=0", "--remote-debugging-pipe", `--user-data-dir=${profile}`, hidesSoon];
  const program = spawn(kProgram, [...kArguments, ...own, "about:blank"], { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] });
  const isOver = new Promise((over) => program.once("exit", over));
  process.once("SIGTERM", () => program.kill()); // what waits for the browser fails then, and ends this
  try {
    const browser = await chromium.connectOverCDP(await addressOf(program), { noDefaults: true });
    program.stderr.resume();
    const tabs = browser.contexts()[0];
    return await use(tabs, tabs.pages()[0]);
  } finally {
    program.kill();
    await isOver;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What Chromium says on standard error once it can be talked to. */
async function addressOf(program) {
  for await (const line of createInterface({ input: program.stderr })) {
    const said = /^DevTools listening on (ws:.*)$/.exec(line);
    if (said) return said[1];
  }
  throw new Error("the browser did not start");
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
