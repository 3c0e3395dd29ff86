// Names that nobody should have are text.
import assert from "node:assert/strict";
import { VIEWS, judge, live, open } from "./browser.mjs";
import { LONG, NAMES } from "./projects.mjs";

const address = (name) => `/tables/${encodeURIComponent(`raw.${name}`)}`;

export async function names(t, browser, service) {
  const { runs } = await (await fetch(`${service.address}/api/v1/runs`)).json();
  const pages = ["/", "/graph", "/tables", "/tables?kind=all&status=failed", "/runs", `/runs/${runs[0].run}`, "/checks", ...NAMES.map(address)];
  for (const view of VIEWS.filter(({ width, theme }) => (width === 390) === (theme === "dark"))) {
    await t.test(`odd names at ${view.width} pixels, ${view.theme}`, async () => {
      const page = await open(browser, service, view);
      for (const path of pages) {
        const answer = await page.goto(path);
        assert.equal(answer.status(), 200, path);
        await live(page);
        await judge(page, path);
        const made = await page.evaluate(() => ({
          scripts: document.scripts.length,
          images: document.querySelectorAll("img, b[onmouseover]").length,
          elsewhere: [...document.querySelectorAll("main a")].filter((link) => new URL(link.getAttribute("href"), location).origin !== location.origin).length,
        }));
        assert.deepEqual(made, { scripts: 1, images: 0, elsewhere: 0 }, path);
      }
      await page.calm();
    });
  }

  await t.test("each is read as it is written, and leads to its page", async () => {
    const page = await open(browser, service);
    for (const name of NAMES) {
      await page.goto("/tables");
      await page.getByRole("link", { name: `raw.${name}`, exact: true }).click();
      await page.getByRole("heading", { level: 1, name: `raw.${name}`, exact: true }).waitFor();
    }
    await page.calm();
  });

  await t.test("what is longer than any table's name is told whole, and is no task", async () => {
    const page = await open(browser, service, { width: 390 });
    await page.goto(`/runs/${runs[0].run}`);
    const failed = page.locator('[data-part="bad"]');
    assert.ok((await failed.innerText()).includes(`raw.${LONG}`));
    const link = failed.getByRole("link", { name: `raw.${LONG.slice(0, 20)}` });
    assert.equal(await link.getAttribute("title"), `raw.${LONG}`);
    await link.click();
    await page.getByRole("heading", { level: 1, name: "There is no such thing" }).waitFor();
    await judge(page, "a page of what is no task");
    assert.ok((await page.locator("main").innerText()).includes(LONG));
    await page.calm("404");
  });
}
