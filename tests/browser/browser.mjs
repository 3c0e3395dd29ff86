// Chromium, and a page in it that nothing may go wrong in.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { set } from "./service.mjs";

/** What pages are looked at in. */
export const VIEWS = [1280, 390].flatMap((width) => ["light", "dark"].map((theme) => ({ width, theme })));

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Starts it. As root it runs without its sandbox, which needs another user; it sees our own pages alone. */
export function launch() {
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: set("BARNCAT_CHROMIUM"), args: [...args, "--disable-dev-shm-usage"] });
}

/** Opens a page of a service. `calm()` at its end says that nothing went wrong in it. */
export async function open(browser, service, { width = 1280, theme = "light", script = true, ...more } = {}) {
  const context = await browser.newContext({
    baseURL: service.address,
    viewport: { width, height: width < 700 ? 844 : 900 },
    colorScheme: theme,
    reducedMotion: "reduce",
    javaScriptEnabled: script,
    hasTouch: width < 700,
    isMobile: width < 700,
    ...more,
  });
  // A machine with much else to do is no fault of the page's.
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) wrong.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`${page.url()}: ${error}`));
  page.on("dialog", (dialog) => { wrong.push(`${page.url()}: a dialog: ${dialog.message()}`); dialog.dismiss(); });
  context.on("request", (request) => {
    if (new URL(request.url()).origin !== service.address) wrong.push(`${page.url()} asks ${request.url()}`);
  });
  /** Nothing went wrong, but what is expected: a part of what is said of it. */
  page.calm = async (...expected) => {
    const left = wrong.filter((one) => !expected.some((part) => one.includes(part)));
    assert.deepEqual(left, []);
    await context.close();
  };
  return page;
}

/** The page is up to date and stays so. */
export function live(page) {
  return page.locator('[data-live][data-state="live"]').waitFor();
}

/** Holds a page to what each has to be, in the view that it is open in. */
export async function judge(page, name) {
  const shape = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const scrolls = (one) => one.closest(".drawing, .hidden, .skip");
    const over = [...document.querySelectorAll("body *")].filter((one) => {
      const box = one.getBoundingClientRect();
      return box.width > 0 && (box.right > width + 0.5 || box.left < -0.5) && !scrolls(one) && one.checkVisibility();
    });
    return {
      width,
      whole: document.documentElement.scrollWidth,
      over: over.map((one) => `${one.tagName.toLowerCase()}.${one.getAttribute("class")}: ${one.textContent.slice(0, 60)}`),
      headings: [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.tagName[1])),
      title: document.title,
      // Text that is cut off, and not told whole to who points at it.
      cut: [...document.querySelectorAll("main *")].filter((one) => one.scrollWidth > one.clientWidth + 1
        && getComputedStyle(one).overflowX === "hidden" && getComputedStyle(one).clipPath === "none" && !one.matches("svg") && !one.title).map((one) => one.textContent.slice(0, 60)),
    };
  });
  assert.ok(shape.whole <= shape.width, `${name}: ${shape.whole} wide in ${shape.width}: ${shape.over.join("; ")}`);
  assert.deepEqual(shape.over, [], `${name}: sticks out`);
  assert.deepEqual(shape.cut, [], `${name}: is cut off`);
  assert.match(shape.title, / · barncat$/, name);
  const { headings } = shape;
  assert.equal(headings[0], 1, `${name}: begins with its heading: ${headings}`);
  assert.equal(headings.filter((level) => level === 1).length, 1, `${name}: one heading of the page`);
  assert.ok(headings.every((level, nth) => nth === 0 || level <= headings[nth - 1] + 1), `${name}: headings in order: ${headings}`);
  await page.evaluate(axe);
  const faults = await page.evaluate(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await globalThis.axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
    return violations.map(({ id, impact, help, nodes }) => `${id} (${impact}): ${help}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 300)}`).join(" | ")}`);
  });
  assert.deepEqual(faults, [], `${name}: axe-core`);
}
