// A page of another site, and an operator, use the switch of the overload drill in headless Chromium.
//
//   node drill.mjs SWITCH_URL FOREIGN_URL SCREENSHOT_FOLDER
//
// The names of the URLs resolve to this machine; over plain http the browser then adds no Sec-Fetch fields. Says, in this order:
//   {"event":"attacked", "framed"}: a page at FOREIGN_URL loaded the switch as picture, style, script, frame, fetch and form, and followed a link to
//     it, each without a Referer; `framed` is what its frame shows.
//   {"event":"asked", "width", "overflow", "title", "facts", "button", "focused", "contrast"}: the page of confirmation on a wide and a narrow screen.
//     `focused` is what the first press of Tab reaches, `contrast` the smallest contrast of its texts.
//   {"event":"pressed", "title"}: the page after the operator pressed the button with the keyboard.
// Then {"event":"done", "complaints"}; {"event":"failed", …} and exit 1 otherwise. It waits for a line on standard input after "attacked" and "pressed".
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inBrowser, say } from "./browser.mjs";

const [switchUrl, foreignUrl, folder] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const names = [switchUrl, foreignUrl].map((url) => `MAP ${new URL(url).hostname} 127.0.0.1`);

/** Runs in the foreign page: everything with which a page sends a request without asking. */
async function attack(target) {
  const made = (kind, members) => {
    const element = Object.assign(document.createElement(kind), { referrerPolicy: "no-referrer", ...members });
    return new Promise((over) => {
      element.onload = element.onerror = over;
      document.body.append(element);
    });
  };
  await made("img", { src: target });
  await made("link", { rel: "stylesheet", href: target });
  await made("script", { src: target });
  await made("iframe", { src: target, id: "frame" });
  await fetch(target, { mode: "no-cors", referrerPolicy: "no-referrer" }).catch(() => {});
  const frame = Object.assign(document.createElement("iframe"), { name: "posted" });
  document.body.append(frame);
  const form = Object.assign(document.createElement("form"), { method: "post", action: target, enctype: "text/plain", target: "posted" });
  document.body.append(form);
  const isPosted = new Promise((over) => (frame.onload = over));
  form.submit();
  await isPosted;
  await fetch(target, { mode: "no-cors", method: "POST", body: "confirmation=x", referrerPolicy: "no-referrer" }).catch(() => {});
}

/** Runs in the foreign page. */
function followLink(target) {
  const link = Object.assign(document.createElement("a"), { href: target, referrerPolicy: "no-referrer" });
  document.body.append(link);
  link.click();
}

/** Runs in the page: the smallest contrast (WCAG 2) of a text with its background. */
function smallestContrast() {
  const parts = (color) => color.match(/[\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = parts(color).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return parts(color)[3] === 0 ? behind(element.parentElement) : color;
  };
  const contrast = (element) => {
    const [dark, bright] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  return Math.min(...[...document.querySelectorAll("h1, dt, dd, p, button")].map(contrast));
}

async function showConfirmation(page, width, colorScheme) {
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize({ width, height: 800 });
  await page.goto(switchUrl);
  await page.screenshot({ path: join(folder, `drill_${width}.png`), fullPage: true });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  const button = await page.$eval("button", (one) => ({ text: one.innerText, height: one.getBoundingClientRect().height }));
  await page.keyboard.press("Tab");
  const focused = await page.evaluate(() => document.activeElement.tagName);
  const [title, facts, contrast] = [await page.title(), await page.innerText("dl"), await page.evaluate(smallestContrast)];
  say("asked", { width, overflow, title, facts, button, focused, contrast });
}

process.exitCode = await inBrowser(
  async (page, complaints) => {
    try {
      await page.goto(foreignUrl);
      await page.evaluate(attack, switchUrl);
      const framed = await (await page.$("#frame")).contentFrame();
      const text = await framed.evaluate(() => document.body?.innerText ?? "").catch(() => "");
      await Promise.all([page.waitForURL(switchUrl), page.evaluate(followLink, switchUrl)]);
      say("attacked", { framed: text });
      await lines.next();
      complaints.length = 0; // those of the foreign page, whose requests failed
      await showConfirmation(page, 1280, "light");
      await showConfirmation(page, 390, "dark");
      await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
      say("pressed", { title: await page.title() });
      await lines.next();
      say("done", { complaints });
      return 0;
    } catch (error) {
      say("failed", { text: String(error), complaints });
      return 1;
    }
  },
  [`--host-resolver-rules=${names.join(",")}`],
);
process.stdin.destroy(); // what waits for another line would keep the process
