// A backfill, started and cancelled on the command line, as pages that are open see it.
import assert from "node:assert/strict";
import { live, open } from "./browser.mjs";
import { barncat } from "./service.mjs";

const TABLE = "raw_shop.order_events";

/** A mark that no reload would leave. */
const keep = (page) => page.evaluate(() => { globalThis.kept = true; });
const kept = (page) => page.evaluate(() => globalThis.kept === true);

const part = (page, name) => page.locator(`[data-part="${name}"]`);

export async function watched(t, browser, demo, project) {
  await t.test("a backfill is watched while it is started and cancelled from the command line", async () => {
    const today = await open(browser, demo);
    const phone = await open(browser, demo, { width: 390, theme: "dark" });
    for (const page of [today, phone]) {
      await page.goto("/");
      await live(page);
      await keep(page);
      await part(page, "running").getByText("Nothing runs just now").waitFor();
    }
    // What has the focus keeps it while the page changes around it.
    await part(today, "tasks").getByRole("link").first().focus();
    const focus = await today.evaluate(() => document.activeElement.href);

    // A chunk in two seconds and more, so that there is time to look.
    const backfill = barncat(project, ["backfill", TABLE, "--chunk", "500", "--rows-per-second", "250"]);
    for (const page of [today, phone]) {
      await part(page, "running").getByRole("link", { name: `backfill ${TABLE}` }).waitFor();
      assert.match(await part(page, "runs").locator("tbody tr").first().innerText(), /running/);
    }
    assert.equal(await today.evaluate(() => document.activeElement.href), focus);

    // Beside it the pages of the run and of the table.
    const run = await open(browser, demo);
    await run.goto("/");
    await part(run, "running").getByRole("link", { name: `backfill ${TABLE}` }).click();
    await live(run);
    await keep(run);
    await part(run, "title").getByText("running").waitFor();
    await part(run, "acts").getByText("barncat status").waitFor();
    await part(run, "timeline").locator("summary").click();
    const table = await open(browser, demo);
    await table.goto(`/tables/${TABLE}`);
    await live(table);
    await keep(table);
    await part(table, "title").getByText("running").waitFor();
    const seen = await part(run, "figures").innerText();
    assert.match(seen, /Took/);

    assert.equal(backfill.child.exitCode, null, `it goes on: ${backfill.said}`);
    const signalled = Date.now();
    backfill.child.kill("SIGTERM");
    assert.equal(await backfill.ended, 143, backfill.said);
    await part(run, "title").getByText("cancelled").waitFor();
    const late = Date.now() - signalled;
    assert.ok(late < 30_000, `the page knew after ${late} ms`);
    await part(run, "acts").getByText(`barncat backfill ${TABLE} --resume`).waitFor();
    assert.equal(await part(run, "timeline").locator("details[open]").count(), 1, "what was opened stays open");
    await part(table, "loads").locator("tbody tr").first().getByText("cancelled").waitFor();
    for (const page of [today, phone]) {
      await part(page, "running").getByText("Nothing runs just now").waitFor();
      const last = part(page, "runs").locator("tbody tr").first();
      await last.getByText("cancelled").waitFor();
      assert.match(await last.innerText(), /backfill raw_shop\.order_events/);
    }
    for (const page of [today, phone, run, table]) {
      assert.ok(await kept(page), "the page was not loaded anew");
      await page.calm();
    }
  });

  await t.test("what a page says to do ends the backfill", async () => {
    const page = await open(browser, demo);
    await page.goto("/runs");
    await page.locator("tbody tr").first().getByRole("link").first().click();
    const command = await page.locator('[data-part="acts"] code').first().innerText();
    const resumed = barncat(project, command.split(" ").slice(1));
    assert.equal(await resumed.ended, 0, resumed.said);
    await page.calm();
  });
}
