// Opens the page with the description of the API in headless Chromium, on a wide and on a narrow screen, and says what it saw.
//
//   node api_docs.mjs PAGE_URL SCREENSHOT_FOLDER
//
// {"event":"shown", "width", "operations", "opened", "overflow", …} for each width: `operations` are the method and path of each operation on the
// page, `opened` is the text of one whose details were opened, `overflow` is by how many pixels the page is wider than the screen, and `gap` is the
// smallest distance in pixels between the texts of two columns in its tables of headers.
// Then {"event":"done", "complaints", "requests"}: the errors of the console, and the URLs of all requests. {"event":"failed", …} and exit 1 otherwise.
import { join } from "node:path";
import { inBrowser, say } from "./browser.mjs";

const [pageUrl, folder] = process.argv.slice(2);
const kMs = 40_000;

/** Runs in the page. */
function smallestGap() {
  const bounds = (cell) => {
    const text = document.createRange();
    text.selectNodeContents(cell);
    return text.getBoundingClientRect();
  };
  const cells = [...document.querySelectorAll("table.headers :is(th, td) + :is(th, td)")];
  return Math.min(...cells.map((cell) => bounds(cell).left - bounds(cell.previousElementSibling).right));
}

async function look(page, width) {
  await page.setViewportSize({ width, height: 900 });
  await page.goto(pageUrl);
  await page.waitForSelector(".opblock-summary-path", { timeout: kMs });
  await page.screenshot({ path: join(folder, `api_docs_${width}.png`), fullPage: true });
  const operations = await page.$$eval(".opblock-summary", (all) =>
    all.map((one) => `${one.querySelector(".opblock-summary-method").innerText} ${one.querySelector(".opblock-summary-path").dataset.path}`),
  );
  await page.click("#operations-Access-requestAccess .opblock-summary-control", { timeout: kMs });
  await page.waitForSelector("#operations-Access-requestAccess .response", { timeout: kMs });
  const opened = await page.$eval("#operations-Access-requestAccess", (one) => one.innerText);
  await page.screenshot({ path: join(folder, `api_docs_${width}_opened.png`), fullPage: true });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  say("shown", { width, url: page.url(), operations, opened, overflow, gap: await page.evaluate(smallestGap) });
}

process.exitCode = await inBrowser(async (page, complaints) => {
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  try {
    for (const width of [1280, 390]) await look(page, width);
    say("done", { complaints, requests });
    return 0;
  } catch (error) {
    say("failed", { text: String(error), complaints, requests });
    return 1;
  }
});
