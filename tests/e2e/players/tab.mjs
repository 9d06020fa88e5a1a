// The viewer page in a tab of headless Chromium, and what a viewer does to tabs: one command a line on standard input, one JSON object a line on
// standard output, {"event": command, …what the page shows}.
//
//   node tab.mjs PAGE_URL SECONDS SCREENSHOT
//
// "opened" comes first, when the page has a place, a session or the word that all is full. SECONDS and SCREENSHOT are not used.
//   reload        loads the page anew, until it knows again
//   hide, show    another tab is looked at, and this one again
//   freeze, thaw  the browser stops a hidden tab altogether, and lets it go on
//   later N       the page's clock is N seconds on
//   look          nothing
//   play          until the picture moves
//   close         the tab, not the browser; says only "close"
import { createInterface } from "node:readline";
import { setTimeout as after } from "node:timers/promises";
import { inTabs, say } from "./browser.mjs";

const kMs = 90_000; // on a busy machine

const seen = (page) =>
  page.evaluate(() => ({
    now: Date.now(),
    isHidden: document.hidden,
    door: window.tribuneDoor,
    waitingRoom: document.querySelector(".room")?.innerText ?? null,
    beats: window.beats, // of a timer of the page, twice a second
    currentTime: document.querySelector("video")?.currentTime ?? null,
  }));

/** Asked from here: the page's own timers may stand. */
async function until(page, isSo, operand) {
  const end = Date.now() + kMs;
  while (!(await page.evaluate(isSo, operand))) {
    if (Date.now() > end) throw new Error(`not within ${kMs} ms: ${isSo}`);
    await after(50);
  }
}

const isHidden = (page, hidden) => until(page, (h) => document.hidden === h, hidden);

async function know(page) {
  await until(page, () => {
    const { state, place, notices } = window.tribuneDoor ?? {};
    return state === "inside" || state === "full" || (place && Object.keys(notices).length > 0);
  });
  await page.evaluate(() => {
    window.beats = 0;
    setInterval(() => ++window.beats, 500);
  });
}

/** What a command does to `page`; `other` is the tab beside it, `devices` the browser's own door to the page. */
const commands = {
  async reload({ page }) {
    await page.reload();
    await know(page);
  },
  async hide({ page, other }) {
    await other.bringToFront();
    await isHidden(page, true);
  },
  async show({ page }) {
    await page.bringToFront();
    await isHidden(page, false);
  },
  freeze: ({ devices }) => devices.send("Page.setWebLifecycleState", { state: "frozen" }),
  thaw: ({ devices }) => devices.send("Page.setWebLifecycleState", { state: "active" }),
  later: ({ page }, seconds) =>
    page.evaluate((ms) => {
      const real = Date.now;
      Date.now = () => real() + ms;
    }, 1000 * Number(seconds)),
  look: async () => {},
  play: ({ page }) => until(page, () => document.querySelector("video")?.currentTime > 0.5),
  close: ({ page }) => page.close(),
};

await inTabs(async (tabs, page) => {
  const other = await tabs.newPage();
  await page.bringToFront();
  await page.goto(process.argv[2]);
  await know(page);
  const devices = await tabs.newCDPSession(page);
  say("opened", await seen(page));
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, operand] = line.split(" ");
    await commands[command]({ page, other, devices }, operand);
    say(command, page.isClosed() || command === "freeze" ? {} : await seen(page));
  }
});
