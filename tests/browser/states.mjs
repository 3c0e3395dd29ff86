// Nothing at all, far too much, and a control database that is gone.
import assert from "node:assert/strict";
import { VIEWS, judge, live, open } from "./browser.mjs";
import { nav, picture } from "./pages.mjs";
import { Service, servers } from "./service.mjs";

const TWO = VIEWS.filter(({ width, theme }) => (width === 390) === (theme === "dark"));

/** One page after the other by the navigation. */
async function each(page, judged) {
  await page.goto("/");
  for (const name of ["Today", "Graph", "Tables", "Runs", "Checks"]) {
    await nav(page, name);
    await live(page);
    await judged(name);
  }
}

export async function nothing(t, browser, service) {
  for (const view of TWO) {
    await t.test(`an empty project at ${view.width} pixels, ${view.theme}`, async () => {
      const page = await open(browser, service, view);
      await each(page, async (name) => {
        await judge(page, `${name}, empty`);
        assert.match(await page.locator("main").innerText(), /barncat (run|check)/, `${name} says what to do`);
        if (name === "Today") await picture(page, "empty", view);
      });
      await page.calm();
    });
  }

  await t.test("what there is not is said to be so", async () => {
    const page = await open(browser, service);
    for (const path of ["/runs/01NOTHING", "/tables/raw.nothing", "/graph?select=nothing", "/nothing"]) {
      const answer = await page.goto(path);
      assert.equal(answer.status(), 404, path);
      if (path === "/nothing") continue;
      await judge(page, path);
    }
    await page.calm("404");
  });
}

export async function token(t, browser, project) {
  await t.test("with a token a browser asks for it, and is kept up to date", async () => {
    const secret = "only-for-the-browser-test";
    const service = await Service.start(project.folder, { ...project.variables, BARNCAT_TOKEN: secret });
    assert.equal((await fetch(service.address)).status, 401);
    const page = await open(browser, service, { httpCredentials: { username: "anybody", password: secret } });
    await page.goto("/");
    await live(page);
    await nav(page, "Graph");
    await live(page);
    await page.calm("401");
    await service.stop();
  });
}

export async function much(t, browser, service) {
  for (const view of TWO) {
    await t.test(`2,000 tables at ${view.width} pixels, ${view.theme}`, async () => {
      const page = await open(browser, service, view);
      await each(page, async (name) => {
        await judge(page, `${name}, 2,000 tables`);
        if (name === "Tables") await picture(page, "huge", view);
        if (name !== "Graph") return;
        await page.getByText("2,000 tasks are too many to take in").waitFor();
        await page.getByLabel("Select").fill("raw.table_00*");
        await page.keyboard.press("Enter");
        await page.locator(".graph a").filter({ hasText: "raw.table_0042" }).waitFor();
      });
      await page.goto("/tables");
      await page.getByRole("link", { name: "Next" }).click();
      await page.getByText("2,000 tables, page 2 of 20").waitFor();
      await page.getByLabel("Name").fill("table_1999");
      await page.keyboard.press("Enter");
      await page.getByRole("link", { name: "raw.table_1999" }).click();
      await judge(page, "a table of 2,000");
      await nav(page, "Runs");
      await page.locator("tbody tr").getByRole("link").first().click();
      await page.getByRole("link", { name: "Later tasks" }).click();
      await judge(page, "a run of 2,000 tasks");
      await page.calm();
    });
  }
}

export async function down(t, browser, demo, project) {
  await t.test("a control database that is gone is told, and that it is back too", async () => {
    const pages = [];
    for (const view of TWO) {
      const page = await open(browser, demo, view);
      await page.goto("/");
      await live(page);
      await page.evaluate(() => { globalThis.kept = true; });
      pages.push([page, view]);
    }
    servers("stop", "warehouse", "--immediate");
    let beside;
    try {
      for (const [page, view] of pages) {
        await page.getByRole("alert").getByText("The control database does not answer.").waitFor();
        await page.getByText("analytics.rider_payments").first().waitFor();
        await judge(page, `stale at ${view.width}`);
        await picture(page, "stale", view);
      }
      // One that never saw it has nothing to show.
      beside = await Service.start(project);
      for (const view of TWO) {
        const page = await open(browser, beside, view);
        const answer = await page.goto("/");
        assert.equal(answer.status(), 503);
        await judge(page, `a problem at ${view.width}`);
        await picture(page, "problem", view);
        pages.push([page, view]);
        await page.evaluate(() => { globalThis.kept = true; });
      }
    } finally {
      servers("start", "warehouse");
    }
    for (const [page] of pages) {
      await page.getByRole("heading", { name: "Last runs" }).waitFor({ timeout: 60_000 });
      await page.getByRole("alert").waitFor({ state: "detached", timeout: 60_000 });
      assert.ok(await page.evaluate(() => globalThis.kept === true), "it came back without being loaded anew");
      await page.calm("503");
    }
    await beside.stop();
  });
}
