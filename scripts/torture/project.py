"""A random project: its tables, and the files that load them."""

import json
import random as chance
import subprocess

from tables import Table, literal, quoted

# At least one of each that is about what may be lost.
ALWAYS = ["full", "merge", "append", "ties", "late_time"]
OTHERS = ["full", "full", "merge", "merge", "merge", "append", "late_id", "late_time", "large"]

SETUP = """
CREATE SCHEMA torture; CREATE SEQUENCE torture.version; CREATE TYPE torture_mood AS ENUM ('calm', 'busy', 'in "pain"');
GRANT USAGE ON SCHEMA torture TO barncat_source;
CREATE TABLE torture.batches (n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, nothing integer); INSERT INTO torture.batches DEFAULT VALUES;
CREATE TABLE torture.states (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, rows bigint NOT NULL, digest numeric NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE public.pair_a (id integer PRIMARY KEY, amount bigint NOT NULL); CREATE TABLE public.pair_b (id integer PRIMARY KEY, amount bigint NOT NULL);
INSERT INTO pair_a SELECT n, 1000 FROM generate_series(1, 200) n; INSERT INTO pair_b SELECT n, 1000 FROM generate_series(1, 200) n;
"""

# Money that moves between two tables: of one moment they hold together what they always hold.
TRANSFER = """BEGIN; UPDATE pair_a SET amount = amount - {sum} WHERE id = {one}; UPDATE pair_b SET amount = amount + {sum} WHERE id = {other}; COMMIT"""
TOTAL = 400_000

PAIR = """SELECT CASE WHEN a.snapshot = b.snapshot THEN (SELECT sum(amount) FROM raw.pair_a) + (SELECT sum(amount) FROM raw.pair_b) END
    FROM barncat.tables a, barncat.tables b WHERE a.table_name = 'pair_a' AND b.table_name = 'pair_b'"""

CONFIG = """[project]
name = "torture"

[sources.shop]
kind = "postgres"
url = "${{SHOP_REPLICA_URL}}"
connections = {source_connections}
snapshot_for = "{snapshot_for}"

[stage]
{stage}
keep = {{ loads = {keep}, days = 1 }}

[warehouse]
kind = "postgres"
url = "${{WAREHOUSE_URL}}"
schema = "raw"
connections = {warehouse_connections}
fill_jobs = {fill_jobs}
snapshot_wait = "{snapshot_wait}"
lock_wait = "20s"

[control]
url = "${{CONTROL_URL}}"

[alerts]
slack = {{ token = "${{SLACK_TOKEN}}", channel = "#torture", api = "${{SLACK_API}}" }}

[schedules]
quick = {{ every = "4s", select = "{quick}" }}
all = {{ every = "{all}" }}
"""


class Project:
    """What the seed makes of it."""

    def __init__(self, seed, is_s3):
        self.random, self.is_s3 = chance.Random(f"{seed}/project"), is_s3
        random = self.random
        kinds = ALWAYS + [random.choice(OTHERS) for _ in range(random.randint(1, 3))]
        self.tables = [Table(number, kind, chance.Random(f"{seed}/table/{number}")) for number, kind in enumerate(kinds, 1)]
        self.modelled = [table for table in self.tables if table.exact and random.random() < 0.6] or self.tables[:1]

    def by_name(self, name):
        return next((table for table in self.tables if table.name == name), None)

    def setup(self):
        return SETUP + "".join(f"{table.create()};\n" for table in self.tables)

    def transfer(self, random):
        return TRANSFER.format(sum=random.randint(1, 90), one=random.randint(1, 200), other=random.randint(1, 200))

    def config(self):
        random = self.random
        stage = 'url = "s3://stage/torture"\nendpoint = "${S3_ENDPOINT}"\npath_style = true\nregion = "us-east-1"' if self.is_s3 else 'url = "file:${STAGE}"'
        return CONFIG.format(
            source_connections=random.randint(3, 8), warehouse_connections=random.randint(3, 12), snapshot_for=random.choice(["1s", "10s", "10m"]),
            stage=stage, keep=random.randint(2, 5), fill_jobs=random.choice([1, 1, 2, 3]), snapshot_wait=random.choice(["2s", "20s"]),
            quick=" ".join(random.sample([table.name for table in self.tables], 3)), all=random.choice(["9s", "15s"]))

    def loader(self):
        rows = ['source = "shop"', 'schema = "public"', 'into = "raw"', 'consistent = [["pair_a", "pair_b"]]', "", "[tables]",
                'pair_a = { strategy = "full", tier = "critical" }', 'pair_b = { strategy = "full" }']
        for table in self.tables:
            checks = ["unique = [\"id\"]"]
            if self.random.random() < 0.5:
                checks.append("not_null = [\"id\", \"version\", \"amount\"]")
            before = ", before_publish = true" if self.random.random() < 0.5 else ""
            pairs = [f"{key} = {json.dumps(value)}" for key, value in table.settings.items()]
            rows.append(f"{json.dumps(table.source)} = {{ {', '.join(pairs)}, checks = {{ {', '.join(checks)}{before} }} }}")
        return "\n".join(rows) + "\n"

    def models(self):
        """The digest of a table as a model sees it; what comes of two of them; one that grows; a view."""
        files = {}
        for table in self.modelled:
            files[f"m_{table.name}"] = (f"SELECT count(*) AS rows, coalesce(sum({table.row_hash(False)}), 0) AS digest FROM {table.name} AS t "
                                        "WHERE to_jsonb(t)->>'deleted_at' IS NULL")
        soft = self.modelled[0].name
        files["m_soft"] = (f"/* barncat\nsoft = {{ m_{soft} = \"any\" }}\n*/\nSELECT a.total, b.rows FROM "
                           f"(SELECT sum(amount) AS total FROM pair_a) AS a CROSS JOIN m_{soft} AS b")
        append = next(table for table in self.tables if table.kind == "append")
        files["m_grows"] = ("/* barncat\nkind = \"incremental\"\nkey = [\"id\"]\ncursor = \"id\"\nsince = \"0\"\n*/\n"
                            f"SELECT e.id, e.version FROM {append.name} AS e WHERE e.id > cast(:since AS bigint) - 1000")
        files["m_view"] = f"/* barncat\nkind = \"view\"\n*/\nSELECT count(*) AS rows FROM {append.name}"
        return files

    def checks(self):
        table = self.tables[0].name
        return {"no_id_twice": f"SELECT id FROM {table} GROUP BY id HAVING count(*) > 1"}

    def write(self, folder):
        (folder / "loaders").mkdir(parents=True)
        for kind, files in (("models", self.models()), ("checks", self.checks())):
            (folder / "sql" / kind).mkdir(parents=True)
            for name, sql in files.items():
                (folder / "sql" / kind / f"{name}.sql").write_text(sql + "\n")
        (folder / "barncat.toml").write_text(self.config())
        (folder / "loaders/shop.toml").write_text(self.loader())


def prepare(servers, project):
    """New databases on servers that are there: nothing of an earlier project is left."""
    def at(server, database):
        return servers.admin[server].rsplit("/", 1)[0] + "/" + database

    def psql(url, *arguments):
        done = subprocess.run([servers.psql, "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", url, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)[:200]}: {done.stderr}")

    roles = servers.roles
    for server, database, role, file, variables in (
            ("primary", "shop", "barncat_source", "source.sql", ["schema=public", "owner=postgres"]),
            ("warehouse", "warehouse", "barncat_warehouse", "warehouse.sql", []),
            ("control", "control", "barncat_control", "control.sql", ["schema=barncat_control", "test_schema=barncat_control_test"])):
        psql(at(server, "postgres"), "-c", f"DROP DATABASE IF EXISTS {quoted(database)} WITH (FORCE)", "-c", f"CREATE DATABASE {quoted(database)}")
        named = [option for variable in [f"role={role}", f"database={database}", *variables] for option in ("-v", variable)]
        psql(at(server, database), *named, "-f", str(roles / file))
    psql(at("primary", "shop"), "-c", project.setup())


def states_since(servers, n):
    """What the source was, from the state `n` on: number, table, rows, digest."""
    answer = servers.ask("primary", f"SELECT n, name, rows, digest FROM torture.states WHERE n > {n} ORDER BY n")
    return None if answer is None else [line.split("|") for line in answer.splitlines()]


__all__ = ["PAIR", "TOTAL", "Project", "literal", "prepare", "states_since"]
