"""Random tables: how they are made, what changes them, and by which digest a state of one is known again."""

import threading

# Planted in every text: none of it may be said anywhere.
VALUE = "torture-value-"

# Types and how a random value of each is made.
TYPES = {
    "bigint": "(random() * 1e15)::bigint",
    "integer": "(random() * 1e9)::integer",
    "smallint": "(random() * 30000)::smallint",
    "numeric(14,4)": "(random() * 1e6)::numeric(14,4)",
    "numeric": "random()::numeric * 1000",
    "text": f"'{VALUE}' || md5(random()::text) || E'\\t\"\\\\\\n, é 🦉 \\'' || repeat('x', (random() * 80)::int)",
    "varchar(40)": "left(md5(random()::text), 1 + (random() * 30)::int)",
    "boolean": "random() < 0.5",
    "date": "date '2020-01-01' + (random() * 2000)::int",
    "timestamp": "timestamp '2020-01-01' + random() * interval '2000 days'",
    "timestamptz": "timestamptz '2020-01-01' + random() * interval '2000 days'",
    "uuid": "gen_random_uuid()",
    "jsonb": f"jsonb_build_object('a', random(), 'b', '[1, null, true]'::jsonb, 'c', '{VALUE}' || md5(random()::text))",
    "json": "('{\"z\": ' || random() || ', \"a\": [1,2]}')::json",
    "bytea": "decode(md5(random()::text), 'hex')",
    "double precision": "random() * 1e10",
    "real": "(random() * 1e4)::real",
    "integer[]": "ARRAY[(random() * 100)::int, NULL, 7]",
    "interval": "random() * interval '40 days'",
    "inet": "('10.0.0.' || (random() * 250)::int)::inet",
    "torture_mood": "(ARRAY['calm', 'busy', 'in \"pain\"'])[1 + (random() * 2)::int]::torture_mood",
}

# Names that somebody forgot to quote, somewhere.
NAMES = ["plain", "Upper", "with space", 'quo"te', "sélect", "order", "semi;colon", "per%cent", "dol$lar", "a.b", "back\\slash"]


# What each table has.
OWN = {"id", "version", "updated_at", "batch", "amount"}


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


class Table:
    """One table of the source and its row in the loader. `strict`: its transactions come one after the other, so that none of its
    rows can be late. `exact`: whatever is published of it is a state that the source had."""

    def __init__(self, number, kind, random):
        self.number, self.kind, self.random = number, kind, random
        self.name = f"t{number}_{kind}"
        self.source = random.choice([self.name, f"T {number} {random.choice(NAMES)}"])
        self.strict = kind not in ("late_time", "late_id")
        self.exact = kind != "late_id"
        self.rows = random.choice([60, 300, 800, 2000]) if kind != "large" else 12_000
        self.columns, self.added = [], 0
        # Held by who writes SQL with its columns in it, until that is done.
        self.shape, self.shapes = threading.Lock(), []
        for place in range(random.randint(1, 7)):
            self.columns.append((f"{random.choice(NAMES)} {place}", random.choice(list(TYPES)), random.random() < 0.4))
        self.hashed = [name for name, sql_type, _ in self.columns if sql_type in ("text", "varchar(40)") and random.random() < 0.3][:1]
        rest = [name for name, _, _ in self.columns if name not in self.hashed]
        self.excluded = rest[:1] if len(rest) > 2 and random.random() < 0.3 else []
        self.where = "id % 11 <> 3" if kind == "full" and random.random() < 0.4 else None
        self.is_partitioned = kind == "full" and random.random() < 0.3
        self.settings = self.choose_settings()
        self.cursor = self.settings.get("cursor")
        # Whether one may be late by what the table is, and not by how it is written: rows of one batch come one after the other.
        self.may_be_late = not self.strict or kind == "ties"

    def choose_settings(self):
        random, settings = self.random, {"tier": self.random.choice(["critical", "optional"]), "attempts": self.random.randint(2, 4)}
        kind = self.kind
        if self.source != self.name:
            settings["as"] = self.name
        if self.hashed:
            settings["hash"] = self.hashed
        if self.excluded:
            settings["exclude"] = self.excluded
        if self.where:
            settings["where"] = self.where
        if kind in ("full", "large"):
            settings |= {"strategy": "full", "publish": random.choice(["auto", "swap", "replace"]), "fill_jobs": random.randint(1, 3)}
            settings["shrink_limit"] = "80 %"
            return settings | {"format": random.choice(["binary", "csv"]), "compression": random.choice(["zstd", "gzip"])}
        settings |= {"strategy": "merge", "shrink_limit": "60 %", "overlap": random.choice(["0s", "2s", "5m"])}
        if kind == "merge":
            settings["cursor"] = random.choice(["updated_at", "version"])
            settings["deletes"] = random.choice(["ignore", "detect", "mark"])
            if settings["deletes"] == "ignore":
                settings["compare_every"] = random.choice(["off", "10s", "24h"])
        if kind == "append":
            settings |= {"strategy": "append", "cursor": "id", "compare_every": random.choice(["off", "15s"])}
        if kind == "ties":
            settings |= {"cursor": "batch", "overlap": "0s", "compare_every": "off", "strategy": random.choice(["append", "merge"])}
        if kind == "late_time":
            settings |= {"cursor": "updated_at", "overlap": "3m", "compare_every": "off"}
        if kind == "late_id":
            settings |= {"strategy": "append", "cursor": "id", "overlap": "20s", "compare_every": "off"}
        if settings.get("deletes") != "mark":
            settings["on_schema_change"] = random.choice(["rebuild", "extend"])
        return settings

    @property
    def deletes(self):
        return self.settings.get("deletes", "ignore")

    @property
    def takes_changes(self):
        """Whether its schema may change without somebody deciding."""
        return self.strict and not self.is_partitioned and self.settings.get("publish") != "replace"

    @property
    def place(self):
        return f"public.{quoted(self.source)}"

    # ---- the source's side -------------------------------------------------------------------------

    def create(self):
        own = ["id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "version bigint NOT NULL DEFAULT nextval('torture.version')",
               "updated_at timestamptz NOT NULL DEFAULT clock_timestamp()", "batch integer NOT NULL DEFAULT 0", "amount bigint NOT NULL DEFAULT 100"]
        own += [f"{quoted(name)} {sql_type}{'' if nullable else ' NOT NULL'}" for name, sql_type, nullable in self.columns]
        sql = f"CREATE TABLE {self.place} ({', '.join(own)})"
        if self.is_partitioned:
            sql += " PARTITION BY HASH (id)"
            sql += "".join(f"; CREATE TABLE torture.{quoted(f'{self.name}_{n}')} PARTITION OF {self.place} FOR VALUES WITH (MODULUS 3, REMAINDER {n})"
                           f"; GRANT SELECT ON torture.{quoted(f'{self.name}_{n}')} TO barncat_source" for n in range(3))
        for column in {self.cursor} - {None, "id"}:
            sql += f"; CREATE INDEX ON {self.place} ({column})"
        return f"{sql}; {self.insert(self.rows)}; {self.keep_state()}"

    def insert(self, rows):
        names = ["batch"] + [quoted(name) for name, _, _ in self.columns]
        values = [f"(SELECT max(n) FROM torture.batches)"]
        for _, sql_type, nullable in self.columns:
            value = TYPES[sql_type]
            values.append(f"CASE WHEN random() < 0.15 THEN NULL ELSE {value} END" if nullable else value)
        # Each row has values of its own: nothing is folded into one.
        return f"INSERT INTO {self.place} ({', '.join(names)}) SELECT {', '.join(values)} FROM generate_series(1, {rows}) AS made (one)"

    def lock(self):
        return f"SELECT pg_advisory_xact_lock(4711, {self.number})"

    def keep_state(self):
        """Writes down what the table is once this transaction is committed. Who holds the lock commits next."""
        return (f"{self.lock()}; INSERT INTO torture.states (name, rows, digest) SELECT {literal(self.name)}, count(*), "
                f"coalesce(sum({self.row_hash(True)}), 0) FROM {self.place} t{self.condition()}")

    def condition(self):
        return f" WHERE {self.where}" if self.where else ""

    def row_hash(self, is_source):
        """The hash of a row `t`, the same on both sides: columns by name, without those that are NULL."""
        row = "to_jsonb(t) - 'deleted_at'"
        if is_source:
            for name in self.excluded:
                row = f"({row}) - {literal(name)}"
            for name in self.hashed:
                row = f"({row}) || jsonb_build_object({literal(name)}, encode(sha256(convert_to(t.{quoted(name)}, 'UTF8')), 'hex'))"
        return f"hashtextextended(jsonb_strip_nulls({row})::text, 0)::numeric"

    def change(self):
        """A transaction, as SQL."""
        random, number = self.random, self.random.randint(1, 6) if self.kind != "large" else self.random.randint(1, 300)
        work = []
        moved = "version = nextval('torture.version'), updated_at = clock_timestamp(), amount = amount + (random() * 9)::int"
        some = f"id IN (SELECT id FROM {self.place} OFFSET floor(random() * {max(1, self.rows - number)}) LIMIT {number})"
        if self.kind in ("append", "ties", "late_id"):
            if self.kind == "ties" and random.random() < 0.05:
                work.append("INSERT INTO torture.batches DEFAULT VALUES")
            work.append(self.insert(number))
        else:
            if random.random() < 0.5:
                work.append(self.insert(number))
            one = random.choice([name for name, _, _ in self.columns])
            value = TYPES[next(sql_type for name, sql_type, _ in self.columns if name == one)]
            work.append(f"UPDATE {self.place} SET {quoted(one)} = {value}, {moved} WHERE {some}")
            if self.strict and (self.kind != "merge" or self.deletes != "ignore") and random.random() < 0.5:
                work.append(f"DELETE FROM {self.place} WHERE {some}")
        if self.kind == "ties":
            # A number that rows of many transactions share; it never goes back.
            work.insert(0, "SELECT pg_advisory_xact_lock(4711, 0)")
        if self.strict:
            work.insert(0, self.lock())
        elif random.random() < 0.6:
            # What was drawn is old when it can be seen.
            work.append(f"SELECT pg_sleep({random.uniform(0.2, 5):.2f})")
        return f"BEGIN; {'; '.join(work)}; {self.keep_state()}; COMMIT"

    def shape_as(self, names):
        """A change of its schema may be lost with its answer, or be lost with a primary: these are the columns it has."""
        found = next((columns for columns in reversed(self.shapes + [self.columns]) if {name for name, _, _ in columns} <= names
                      and names <= {name for name, _, _ in columns} | OWN), None)
        self.columns = found or self.columns

    def change_schema(self):
        """What the loader's row takes by itself; and in words."""
        self.shapes.append(list(self.columns))
        random, extends = self.random, self.deletes == "mark" or self.settings.get("on_schema_change") == "extend"
        choices = ["add"] if extends else ["add", "drop", "rename", "default"]
        usable = [name for name, _, _ in self.columns if name not in self.hashed + self.excluded]
        what = random.choice(choices if len(usable) > 1 else choices[:1])
        if what == "add":
            self.added += 1
            column = (f"added {self.added}", random.choice(list(TYPES)), True)
            self.columns.append(column)
            sql = f"ADD COLUMN {quoted(column[0])} {column[1]}"
        elif what == "default":
            self.added += 1
            column = (f"added {self.added}", "integer", False)
            self.columns.append(column)
            sql = f"ADD COLUMN {quoted(column[0])} integer NOT NULL DEFAULT 7"
        else:
            name = random.choice(usable)
            place = [column for column, _, _ in self.columns].index(name)
            if what == "drop":
                sql = f"DROP COLUMN {quoted(name)}"
                del self.columns[place]
            else:
                self.added += 1
                new = f"renamed {self.added}"
                sql = f"RENAME COLUMN {quoted(name)} TO {quoted(new)}"
                self.columns[place] = (new, *self.columns[place][1:])
        return what, f"BEGIN; {self.lock()}; ALTER TABLE {self.place} {sql}; {self.keep_state()}; COMMIT"

    # ---- the warehouse's side ----------------------------------------------------------------------

    def look(self):
        """One statement that says what readers see, and what the ledger says of it."""
        top = f"max(t.{self.cursor})" if self.cursor else "NULL"
        cast = {"updated_at": "timestamptz", "batch": "integer"}.get(self.cursor, "bigint")
        past = f"l.watermark::{cast} > seen.top" if self.cursor else "false"
        return f"""SELECT row_to_json(answer) FROM (
            SELECT seen.*, l.load, l.previous, l.strategy, l.publish, l.table_rows, l.late_rows, l.manifest, l.watermark, {past} AS past_top,
                (SELECT count(*) FROM barncat.loads r WHERE r.table_name = {literal(self.name)} AND r.strategy = 'restore') AS restores
            FROM (SELECT count(*) AS rows, coalesce(sum({self.row_hash(False)}), 0)::text AS digest, {top} AS top,
                    count(*) - count(DISTINCT t.id) AS doubled
                  FROM raw.{quoted(self.name)} t WHERE to_jsonb(t)->>'deleted_at' IS NULL) seen
            LEFT JOIN barncat.loads l ON l.table_schema = 'raw' AND l.table_name = {literal(self.name)} AND NOT EXISTS (
                SELECT FROM barncat.loads n WHERE n.table_schema = 'raw' AND n.table_name = l.table_name AND n.previous = l.load)) answer"""
