// Projects beside the demo, in databases of their own on its servers: one that is empty, one with 2,000 tables, one with
// names that nobody should have.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { done, servers, set, sql } from "./service.mjs";

const root = new URL("../..", import.meta.url).pathname;
const home = `${root}target/browser/projects`;

/** So many letters no database takes for a name. */
export const LONG = "a_name_of_".repeat(30);

/** Names as text: each is shown as it is written here. */
export const NAMES = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(2)>",
  "\"quoted\" & 'so' \\ %2F?#",
  "javascript:alert(3)",
  "names_may_have_sixty_three_letters_and_this_one_uses_all_of_the",
];

const of_database = (address, name) => address.replace(/\/[^/?]*(\?|$)/, `/${name}$1`);

async function database(name) {
  const admin = set("BARNCAT_WAREHOUSE_ADMIN_URL");
  await sql(admin, `CREATE DATABASE ${name};`);
  await sql(of_database(admin, name), `${root}sql/roles/warehouse.sql`, { role: "barncat_warehouse", database: name });
  return of_database(set("WAREHOUSE_URL"), name);
}

/** Writes a project; its warehouse, and control database, is a database of its own. */
async function project(name, loaders) {
  const folder = `${home}/${name}`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(`${folder}/loaders`, { recursive: true });
  await writeFile(`${folder}/barncat.toml`, `[project]
name = "${name}"
timezone = "Europe/London"

[sources.shop]
kind = "postgres"
url = "\${SHOP_REPLICA_URL}"

[stage]
url = "file:./stage"

[warehouse]
kind = "postgres"
url = "\${WAREHOUSE_URL}"
schema = "raw"
`);
  if (loaders) await writeFile(`${folder}/loaders/shop.toml`, loaders);
  return { folder, variables: { WAREHOUSE_URL: await database(`browser_${name}`) } };
}

/** Nothing but its connections. */
export function empty() {
  return project("empty");
}

/** 2,000 tables and what ran of them; `control` makes its control database, as a service does. */
export async function huge(control) {
  const loaders = 'source = "shop"\nschema = "public"\ninto = "raw"\n[tables]\n"table_*" = "full"\n"table_???0" = { strategy = "full", tier = "critical" }\n';
  const made = await project("huge", loaders);
  await control(made);
  await sql(made.variables.WAREHOUSE_URL, `${root}sql/demo/bench-dashboard.sql`, { schema: "barncat_control", tables: 2000, runs: 20 });
  return made;
}

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;
const text = (value) => `'${value.replaceAll("'", "''")}'`;

/** Tables of odd names that were really loaded; and what no source has, as rows of the control database. */
export async function odd() {
  const tables = NAMES.map((name) => `CREATE TABLE odd.${quoted(name)} AS SELECT 1 AS id; ALTER TABLE odd.${quoted(name)} ADD PRIMARY KEY (id);`);
  const primary = set("BARNCAT_PRIMARY_ADMIN_URL");
  await sql(primary, `CREATE SCHEMA odd;\n${tables.join("\n")}`);
  await sql(primary, `${root}sql/roles/source.sql`, { role: "barncat_source", database: "shop", schema: "odd", owner: "postgres" });
  servers("catch-up");
  const made = await project("odd", 'source = "shop"\nschema = "odd"\ninto = "raw"\n[tables]\n"*" = "full"\n');
  await done(made.folder, ["run"], made.variables);
  const long = text(`raw.${LONG}`);
  const markup = text("<b onmouseover=alert(4)>bold</b>");
  await sql(made.variables.WAREHOUSE_URL, `SET search_path = barncat_control;
    INSERT INTO tasks SELECT run, ${long}, kind, tier, started_at, ended_at, 'failed', seconds, rows, bytes, NULL,
        outcome || jsonb_build_object('task', ${long}, 'status', 'failed', 'warnings', jsonb_build_array(${markup}), 'error',
            jsonb_build_object('class', 'lasting', 'message', ${markup} || repeat(' and_so_on', 40), 'hint', ${markup}))
        FROM tasks LIMIT 1;
    INSERT INTO attempts SELECT run, ${long}, 1, NULL, started_at, ended_at, 'failed',
        jsonb_build_object('class', 'lasting', 'message', ${markup}, 'hint', NULL) FROM attempts LIMIT 1;
    INSERT INTO check_results (run, task, check_name, before_publish, at, status, rows, of_rows, message)
        SELECT run, ${long}, ${long} || '.checks', false, clock_timestamp(), 'failed', 1, 2, ${markup} FROM runs LIMIT 1;
    UPDATE runs SET selection = ${long} || ' ' || ${markup}, host = ${markup}, status = 'failed';
    INSERT INTO holds (task, held_by, reason) VALUES (${long}, ${markup}, ${markup});`);
  return made;
}
