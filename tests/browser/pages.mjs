// Each page, as people come to it: by clicks, in each view; kept as pictures.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { VIEWS, judge, live, open } from "./browser.mjs";
import { set } from "./service.mjs";

/** A picture is cut off below so many pixels: what comes there is more of the same. */
const HEIGHT_MAX = 1800;

/** The walk: a page's name, and what is done on the one before to come to it. */
const WALK = [
  ["today", (page) => page.goto("/")],
  ["graph", (page) => nav(page, "Graph")],
  ["table", (page) => page.locator(".graph a").filter({ hasText: "raw_shop.orders" }).first().click()],
  ["tables", (page) => nav(page, "Tables")],
  ["runs", (page) => nav(page, "Runs")],
  ["run", (page) => page.locator("tbody tr").filter({ hasText: "failed" }).getByRole("link").first().click()],
  ["checks", (page) => nav(page, "Checks")],
];

/** What has to be read on each. */
const READ = {
  today: ["Deadlines", "analytics.rider_payments", "raw_shop.orders failed", "barncat why raw_shop.orders", "Last runs"],
  graph: ["Critical path", "can go on without", "barncat graph"],
  table: ["raw_shop.orders", "was not published", "barncat restore raw_shop.orders --load", "range (delivery_fee)", "Over time", "Schema"],
  tables: ["22 tables", "raw_shop.orders", "blocked", "analytics.margins"],
  runs: ["everything", "degraded", "failed"],
  run: ["Did not end well", "Timeline", "blocked", "barncat run --failed", "Compared with"],
  checks: ["range (delivery_fee)", " rows have a `delivery_fee` out of its range", "nobody_signed_up_twice"],
};

export function nav(page, name) {
  return page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name, exact: true }).click();
}

/** Keeps how a page looks. */
export async function picture(page, name, { width, theme }) {
  const folder = set("BARNCAT_PICTURES");
  await mkdir(folder, { recursive: true });
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  const clip = { x: 0, y: 0, width, height: Math.min(height, HEIGHT_MAX) };
  await page.screenshot({ path: `${folder}/${name}-${width}-${theme}.png`, fullPage: true, clip });
}

async function reads(page, name) {
  const text = await page.locator("main").innerText();
  for (const words of READ[name]) assert.ok(text.includes(words), `${name} says \`${words}\`: ${text.slice(0, 600)}`);
}

export async function pages(t, browser, demo) {
  for (const view of VIEWS) {
    await t.test(`each page at ${view.width} pixels, ${view.theme}`, async () => {
      const page = await open(browser, demo, view);
      for (const [name, come] of WALK) {
        await come(page);
        await live(page);
        await reads(page, name);
        await judge(page, `${name} at ${view.width}, ${view.theme}`);
        await picture(page, name, view);
      }
      await page.calm();
    });
  }

  await t.test("lists are searched, and the graph chosen from", async () => {
    const page = await open(browser, demo);
    await page.goto("/tables");
    await page.getByLabel("Name").fill("payments");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("1 table", { exact: true }).waitFor();
    await page.goto("/tables");
    await page.getByLabel("Status").selectOption("blocked");
    await page.getByLabel("Kind").selectOption("model");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("7 tables", { exact: true }).waitFor();
    assert.equal(await page.locator("tbody tr").count(), 7);
    await nav(page, "Graph");
    await page.getByLabel("Select").fill("+rider_payments");
    await page.keyboard.press("Enter");
    await page.locator(".graph a").filter({ hasText: "analytics.rider_payments" }).waitFor();
    assert.equal(await page.locator(".graph a").filter({ hasText: "best_restaurants" }).count(), 0);
    await page.getByRole("navigation", { name: "Zoom" }).getByRole("link", { name: "50 %", exact: true }).click();
    await page.getByRole("link", { name: "50 %", exact: true }).and(page.locator("[aria-current]")).waitFor();
    assert.equal(new URL(page.url()).searchParams.get("select"), "+rider_payments");
    await page.getByText("The same as a list").click();
    await page.getByRole("table").getByRole("link", { name: "analytics.rider_payments" }).click();
    await page.getByRole("heading", { level: 1, name: "analytics.rider_payments" }).waitFor();
    await page.calm();
  });

  await t.test("a command is copied by its button", async () => {
    const page = await open(browser, demo, { permissions: ["clipboard-read", "clipboard-write"] });
    await page.goto("/tables/raw_shop.orders");
    const command = page.locator(".command").filter({ hasText: "barncat hold" });
    await command.getByRole("button", { name: "Copy" }).click();
    await command.getByRole("button", { name: "Copied" }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "barncat hold raw_shop.orders --for 12h");
    await page.calm();
  });

  await t.test("all of it is read without JavaScript", async () => {
    const page = await open(browser, demo, { script: false });
    for (const [name, come] of WALK) {
      await come(page);
      await page.waitForLoadState();
      await reads(page, name);
      assert.equal(await page.getByRole("button", { name: "Copy" }).count(), 0, `${name}: a button that would do nothing`);
    }
    await page.goto("/tables?q=payments");
    await page.getByText("1 table", { exact: true }).waitFor();
    await page.goto("/graph");
    await page.getByText("The same as a list").click();
    await page.getByRole("table").getByRole("link", { name: "raw_shop.orders", exact: true }).first().click();
    await page.getByText("17 columns").click();
    await page.getByRole("cell", { name: "timestamp with time zone" }).first().waitFor();
    await page.calm();
  });
}
