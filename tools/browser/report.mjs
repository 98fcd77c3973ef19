// Opens reports of incidents in a real browser and looks at what a reader would meet.
//
//   node report.mjs SCREENSHOTS REPORT.html...
//
// Nothing may be fetched, run or complained of; nothing may be wider than the screen; every link leads to a file of the folder; axe-core
// finds nothing wrong in light, dark and on a phone. A screenshot of each is left for people's eyes.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.cwd(), "package.json"));
const { default: chromium } = await import(pathToFileURL(require.resolve("@sparticuz/chromium")));
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const QUESTIONS = [
  "1. Who asked for it, in which words?",
  "2. Which rules judged it, and did they really say so?",
  "3. Was it this call, these exact arguments, and did it run once?",
  "4. Is this the whole record?",
];
const VIEWS = [
  { name: "desktop", width: 1280, height: 900, scheme: "light" },
  { name: "desktop-dark", width: 1280, height: 900, scheme: "dark" },
  { name: "phone", width: 390, height: 844, scheme: "light" },
  { name: "phone-narrow", width: 320, height: 640, scheme: "dark" },
];

const [shots, ...reports] = process.argv.slice(2);
mkdirSync(shots, { recursive: true });
const wrong = [];
const need = (holds, what) => {
  if (!holds) wrong.push(what);
};

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(),
  args: [...chromium.args, "--no-sandbox"],
  headless: "shell",
});
console.log(`browser: ${await browser.version()}`);
for (const [number, report] of reports.entries()) {
  const url = pathToFileURL(resolve(report)).href;
  for (const view of VIEWS) {
    const at = `${report} (${view.name})`;
    const page = await browser.newPage();
    const fetched = [];
    page.on("console", (message) => wrong.push(`${at}: the console says: ${message.text()}`));
    page.on("pageerror", (error) => wrong.push(`${at}: ${error}`));
    page.on("dialog", (dialog) => wrong.push(`${at}: a script ran: ${dialog.message()}`));
    page.on("request", (request) => fetched.push(request.url()));
    await page.setViewport({ width: view.width, height: view.height });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: view.scheme }]);
    await page.goto(url);
    need(fetched.length === 1 && fetched[0] === url, `${at}: fetched ${fetched}`);
    const seen = await page.evaluate(() => {
      const titles = [...document.querySelectorAll("h3")].filter((it) => it.checkVisibility());
      return {
        titles: titles.map((it) => it.textContent),
        first: document.querySelectorAll("h1").length,
        width: document.documentElement.scrollWidth,
        active: document.querySelectorAll("script, img, iframe, object, embed, form, input, link, base, svg, video, audio").length,
        handlers: [...document.querySelectorAll("*")].filter((it) => it.getAttributeNames().some((name) => name.startsWith("on"))).length,
        links: [...document.querySelectorAll("a")].map((it) => it.getAttribute("href")),
      };
    });
    for (const question of QUESTIONS) need(seen.titles.includes(question), `${at}: \`${question}\` is not seen`);
    need(seen.first === 1, `${at}: ${seen.first} titles`);
    need(seen.width <= view.width, `${at}: ${seen.width} px wide`);
    need(seen.active === 0 && seen.handlers === 0, `${at}: ${seen.active} elements and ${seen.handlers} handlers that a report has no use for`);
    for (const link of new Set(seen.links)) {
      need(/^[A-Za-z0-9][A-Za-z0-9./-]*$/.test(link) && existsSync(join(dirname(report), link)), `${at}: a link to \`${link}\``);
    }
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    for (const violation of found.violations) {
      const where = violation.nodes.slice(0, 3).map((node) => node.target.join(" "));
      wrong.push(`${at}: ${violation.id}: ${violation.help}: ${where.join("; ")}`);
    }
    // What is taller than that is drawn anew from its beginning.
    const height = Math.min(await page.evaluate(() => document.documentElement.scrollHeight), 8_000);
    const clip = { x: 0, y: 0, width: view.width, height };
    await page.screenshot({ path: join(shots, `${number}-${view.name}.png`), clip, captureBeyondViewport: true });
    await page.close();
  }
  const page = await browser.newPage();
  await page.goto(url);
  const paper = await page.pdf({ format: "A4", path: join(shots, `${number}.pdf`) });
  need(paper.length > 10_000, `${report}: an empty print`);
  await page.close();
}
await browser.close();
for (const what of wrong) console.error(what);
console.log(`${reports.length} reports in ${VIEWS.length} views: ${wrong.length ? `${wrong.length} things are wrong` : "nothing is wrong"}`);
process.exit(wrong.length ? 1 : 0);
