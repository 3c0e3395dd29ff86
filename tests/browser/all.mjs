// The dashboard in headless Chromium, on the demo's history. scripts/browser-test.sh starts it.
import { test } from "node:test";
import { launch } from "./browser.mjs";
import { keyboard } from "./keyboard.mjs";
import { watched } from "./live.mjs";
import { names } from "./names.mjs";
import { pages } from "./pages.mjs";
import * as projects from "./projects.mjs";
import { Service, end } from "./service.mjs";
import { down, much, nothing, token } from "./states.mjs";

const root = new URL("../..", import.meta.url).pathname;

/** A service for as long as something is done with it. */
async function serving(project, variables, use) {
  const service = await (await Service.start(project, variables)).ready();
  try {
    await use(service);
  } finally {
    await service.stop();
  }
}

test("the dashboard", async (t) => {
  const browser = await launch();
  try {
    await serving(root, {}, async (demo) => {
      await pages(t, browser, demo);
      await keyboard(t, browser, demo);
      await watched(t, browser, demo, root);
    });
    const odd = await projects.odd();
    await serving(odd.folder, odd.variables, (service) => names(t, browser, service));
    const empty = await projects.empty();
    await serving(empty.folder, empty.variables, (service) => nothing(t, browser, service));
    await token(t, browser, empty);
    const huge = await projects.huge((made) => serving(made.folder, made.variables, () => {}));
    await serving(huge.folder, huge.variables, (service) => much(t, browser, service));
    // Last: the demo's own database is stopped.
    await serving(root, {}, (demo) => down(t, browser, demo, root));
  } finally {
    await browser.close();
    end();
  }
});
