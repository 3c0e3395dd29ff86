"""Has others judge what the tests sent to Redshift's double and what it answered.

usage: judge.py FOLDER

FOLDER has the double's records: JSON lines with a statement, or with a call of the Data API and its answer.
Each statement must be read by two parsers that nobody here wrote, sqlglot and sqlfluff, in their dialect of
Redshift. sqlglot takes what it cannot read for a raw command: that counts as not read. Each call must fit the
model of the service that botocore ships: members, types, patterns, limits; the answers too, since the double is
ours as well. Exit status 1 if one does not, or if an exception is not needed any more.
"""

import json
import logging
import re
import sys
from collections import Counter
from pathlib import Path

import botocore.session
import sqlglot
from sqlfluff.core import FluffConfig, Linter

# What a parser cannot read although Redshift can: parser, pattern, why.
EXCEPTIONS = [
    ("sqlglot", r"^LOCK ", "sqlglot knows no LOCK of any dialect; Redshift's: LOCK [TABLE] name [, …]"),
    ("sqlglot", r"^CREATE TABLE .* INTERLEAVED SORTKEY ", "sqlglot knows COMPOUND alone; CREATE TABLE has both"),
]

# Statements that neither may read: a judge that says yes to everything is none.
WRONG = {
    "sqlglot": ["SELEC 1", "DELETE FROM a USING b WHEREE a.x = b.x", "UPDATE a SET x = FROM b", "VACUUM FULLY"],
    "sqlfluff": [
        "SELEC 1",
        "COPY t FROM 's3://a' IAM_ROLE 'x' FORMAT CSV NONSENSE",
        "CREATE TABLE t (a int) DISTSTYL EVEN",
        "ALTER TABLE a RENAME b",
        "INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING",
    ],
}

# What any service may say, beside the errors that an operation's model names.
COMMON_ERRORS = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InternalFailure",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "ThrottlingException",
    "UnknownOperationException",
    "ValidationException",
}


def shape_of(sql):
    """The statement without its values: one of many alike is enough."""
    sql = re.sub(r"'(?:[^'\\]|\\.|'')*'", lambda text: "'\\'" if "\\" in text[0] else "''", sql)
    return re.sub(r"\d+", "0", re.sub(r"[0-9a-z]{26}|[0-9a-f]{8,}", "h", sql))


def complaint_of_sqlglot(sql):
    try:
        trees = sqlglot.parse(sql, dialect="redshift", error_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.errors.SqlglotError as error:
        return str(error).splitlines()[0]
    raw = any(tree is None or tree.find(sqlglot.exp.Command) for tree in trees)
    return "taken for a raw command" if raw else None


def sqlfluff():
    linter = Linter(config=FluffConfig(overrides={"dialect": "redshift"}))

    def complaint(sql):
        parsed = linter.parse_string(sql + ";\n")
        if parsed.violations:
            return str(parsed.violations[0])
        variant = parsed.root_variant()
        if variant is None or variant.tree is None or any(variant.tree.recursive_crawl("unparsable")):
            return "not parsed"
        return None

    return complaint


def judge_statements(statements):
    """Complaints; each shape of a statement is judged once."""
    judges = {"sqlglot": complaint_of_sqlglot, "sqlfluff": sqlfluff()}
    shapes = {}
    for sql in statements:
        shapes.setdefault(shape_of(sql), sql)
    used, complaints = Counter(), []
    for name, judge in judges.items():
        for sql in WRONG[name]:
            if judge(sql) is None:
                complaints.append(f"{name} reads what is no SQL: {sql}")
        for sql in shapes.values():
            said = judge(sql)
            if said is None:
                continue
            known = [n for n, (of, pattern, _) in enumerate(EXCEPTIONS) if of == name and re.search(pattern, sql)]
            used.update(known)
            if not known:
                complaints.append(f"{name}: {said}\n    {sql}")
    for number, (name, pattern, _) in enumerate(EXCEPTIONS):
        if not used[number]:
            complaints.append(f"no statement needs this exception for {name} any more: {pattern}")
    print(f"{len(statements)} statements of {len(shapes)} shapes, by sqlglot and sqlfluff")
    for number, (name, pattern, why) in enumerate(EXCEPTIONS):
        print(f"  exception for {name}, met by {used[number]}: {pattern} ({why})")
    return complaints


def misfits(shape, value, path, whole):
    """Where the value does not fit the model's shape; `whole`: required members must be there."""
    kind, limits = shape.type_name, shape.metadata

    def wrong(what):
        yield f"{path}: {what}"

    types = {
        "structure": dict,
        "list": list,
        "map": dict,
        "string": str,
        "boolean": bool,
        "integer": int,
        "long": int,
        "double": (int, float),
        "timestamp": (int, float),
        "blob": str,
    }
    if not isinstance(value, types[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield from wrong(f"{type(value).__name__} where the model has {kind}")
    elif kind == "structure":
        for name in shape.required_members if whole else []:
            if name not in value:
                yield from wrong(f"{name} is missing")
        for name, member in value.items():
            if name in shape.members:
                yield from misfits(shape.members[name], member, f"{path}.{name}", whole)
            else:
                yield from wrong(f"the model has no {name}")
        if limits.get("union") and len(value) != 1:
            yield from wrong(f"a union of {len(value)} members")
    elif kind in ("list", "string"):
        size = len(value)
        if not limits.get("min", 0) <= size <= limits.get("max", size):
            yield from wrong(f"{size} long, where the model has {limits.get('min', 0)} to {limits.get('max')}")
        for number, member in enumerate(value if kind == "list" else []):
            yield from misfits(shape.member, member, f"{path}[{number}]", whole)
        if kind == "string" and "pattern" in limits and not re.fullmatch(limits["pattern"], value):
            yield from wrong("it does not match the model's pattern")
        if kind == "string" and shape.enum and value not in shape.enum:
            yield from wrong("it is none of the model's values")
    elif kind in ("integer", "long") and not limits.get("min", value) <= value <= limits.get("max", value):
        yield from wrong(f"{value}, where the model has {limits.get('min')} to {limits.get('max')}")


def judge_calls(calls):
    session, models, complaints, seen = botocore.session.get_session(), {}, set(), Counter()
    for call in calls:
        service, _, operation = call["call"].partition(":")
        model = models.setdefault(service, None) or session.get_service_model(service)
        models[service] = model
        if operation not in model.operation_names:
            complaints.add(f"{service} has no {operation}")
            continue
        of = model.operation_model(operation)
        seen[operation] += 1
        complaints.update(misfits(of.input_shape, call["input"], f"{operation}, asked", whole=True))
        if call["status"] < 300:
            complaints.update(misfits(of.output_shape, call["output"], f"{operation}, answered", whole=True))
        else:
            name = call["output"].get("__type", "").rpartition("#")[2]
            if name not in COMMON_ERRORS | {error.name for error in of.error_shapes}:
                complaints.add(f"{operation}, answered: the model has no error {name}")
    print("calls by botocore's model: " + ", ".join(f"{count} {name}" for name, count in sorted(seen.items())))
    return sorted(complaints)


def main(folder):
    logging.disable(logging.CRITICAL)  # sqlglot warns of each raw command
    records = [json.loads(line) for file in sorted(Path(folder).glob("*.jsonl")) for line in file.open()]
    statements = [record["statement"] for record in records if "statement" in record]
    calls = [record for record in records if "call" in record]
    if not statements or not calls:
        sys.exit(f"error: nothing is recorded in {folder}\nhint: make test records what its tests send, then run make check")
    complaints = judge_statements(statements) + judge_calls(calls)
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main(sys.argv[1])
