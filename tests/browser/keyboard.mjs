// Each page by the keyboard alone: all that can be worked is reached, in its order, and seen to be reached.
import assert from "node:assert/strict";
import { live, open } from "./browser.mjs";

/** Where Tab stops; each gets its number. */
function mark() {
  const all = document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']");
  const shown = [...all].filter((one) => !one.disabled && one.checkVisibility({ visibilityProperty: true }));
  shown.forEach((one, nth) => { one.dataset.nth = nth; });
  return shown.length;
}

/** What has the focus, and what is wrong with how that is seen. */
function focused() {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const box = [...one.getClientRects()].find((part) => part.width > 0) ?? one.getBoundingClientRect();
  const style = getComputedStyle(one);
  // A task of the graph is drawn: its frame is what changes.
  const frame = one.matches(".node") ? getComputedStyle(one.querySelector("rect")) : null;
  const ring = frame ? parseFloat(frame.strokeWidth) >= 4 : style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const there = document.elementFromPoint(x, y);
  const wrong = [];
  if (!ring) wrong.push("its focus is not seen");
  if (!(x >= 0 && y >= 0 && x <= innerWidth && y <= innerHeight)) wrong.push(`it is out of sight (${Math.round(x)}, ${Math.round(y)})`);
  else if (!there || !(one.contains(there) || there.contains(one))) wrong.push(`${there?.tagName} covers it`);
  return { nth: Number(one.dataset.nth ?? -1), what: one.outerHTML.slice(0, 120), wrong };
}

async function walk(page, name) {
  const count = await page.evaluate(mark);
  assert.ok(count > 10, `${name}: ${count} stops`);
  for (let nth = 0; nth < count; nth += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(focused);
    assert.ok(stop, `${name}: nothing has the focus after ${nth} stops of ${count}`);
    assert.equal(stop.nth, nth, `${name}: the order is another one: ${stop.what}`);
    assert.deepEqual(stop.wrong, [], `${name}: ${stop.what}`);
  }
}

export async function keyboard(t, browser, demo) {
  const { runs } = await (await fetch(`${demo.address}/api/v1/runs`)).json();
  const failed = runs.find((run) => run.status === "failed").run;
  const pages = { today: "/", graph: "/graph", tables: "/tables", table: "/tables/raw_shop.orders", runs: "/runs", run: `/runs/${failed}`, checks: "/checks" };
  for (const width of [1280, 390]) {
    await t.test(`each page by the keyboard at ${width} pixels`, async () => {
      const page = await open(browser, demo, { width, theme: width === 390 ? "dark" : "light" });
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(path);
        await live(page);
        await walk(page, `${name} at ${width}`);
      }
      await page.calm();
    });
  }

  await t.test("the first stop leads to the content", async () => {
    const page = await open(browser, demo);
    await page.goto("/");
    await page.keyboard.press("Tab");
    const skip = page.getByRole("link", { name: "Skip to the content" });
    assert.ok((await skip.boundingBox()).y >= 0, "it is seen while it has the focus");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)), "the next one is in it");
    await page.calm();
  });

  await t.test("a task of the graph and what is folded open by Enter", async () => {
    const page = await open(browser, demo);
    await page.goto("/graph");
    await page.locator(".graph a").filter({ hasText: "raw_shop.cities" }).first().focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "raw_shop.cities" }).waitFor();
    await page.locator("summary").first().focus();
    await page.keyboard.press("Enter");
    await page.getByRole("columnheader", { name: "Column" }).waitFor();
    await page.calm();
  });
}
