"""What a peer made of a table: rows, values, types, key and NOT NULL, held against the source."""

import json

from world import Wrong


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def columns_of(servers, server, database, table):
    """The columns of a table by name: type and whether NULL is refused. Empty: there is no such table."""
    answer = servers.ask(server, database, f"""
        SELECT coalesce(jsonb_object_agg(attname, jsonb_build_object('type', format_type(atttypid, atttypmod), 'not_null', attnotnull)
            ORDER BY attnum), '{{}}')
        FROM pg_attribute WHERE attrelid = to_regclass('{table}') AND attnum > 0 AND NOT attisdropped""")
    return json.loads(answer)


def key_of(servers, server, database, table):
    return servers.ask(server, database, f"""
        SELECT string_agg(attname, ', ' ORDER BY array_position(indkey::int2[], attnum))
        FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
        WHERE indrelid = to_regclass('{table}') AND indisprimary""")


def whole_digest(servers, server, database, table, columns, cast=None):
    """The rows' count and the sum of their hashes; `cast` gives the types that they are turned to first."""
    cells = ", ".join(quoted(name) + (f"::{cast[name]['type']}" if cast else "") for name in columns)
    return servers.ask(server, database, f"SELECT count(*), sum(hashtextextended(ROW({cells})::text, 0)::numeric) FROM {table}")


def column_digest(servers, server, database, table, column, key, to=""):
    """Of one column: the sum of the hashes of its values with their rows' key, its NULLs and its empty strings."""
    cell = f"{quoted(column)}{to}::text"
    try:
        answer = servers.ask(server, database, f"""
            SELECT sum(hashtextextended(({quoted(key)}::bigint)::text || ' ' || coalesce('=' || {cell}, ''), 0)::numeric),
                count(*) FILTER (WHERE {quoted(column)} IS NULL), count(*) FILTER (WHERE {cell} = '') FROM {table}""")
    except Wrong:
        return None
    return answer.split("|")


def altered_column(servers, sides, name, was, key):
    """What became of one column's values, or nothing."""
    (source, target) = sides
    ours = column_digest(servers, *source, name, key)
    if ours == column_digest(servers, *target, name, key):
        return None
    theirs = column_digest(servers, *target, name, key, f"::{was['type']}")
    if theirs is None:
        return f"`{name}`: cannot be turned back to {was['type']}"
    if ours == theirs:
        return None
    if was["type"] == "json" and column_digest(servers, *source, name, key, "::jsonb") == column_digest(servers, *target, name, key, "::jsonb"):
        return f"`{name}`: another text of the same json"
    parts = [f"{what} {one} → {other}" for what, one, other in (("NULLs", ours[1], theirs[1]), ("empty strings", ours[2], theirs[2])) if one != other]
    return f"`{name}`: " + (", ".join(parts) or f"values differ ({was['type']})")


def compare(servers, source, target, key="id"):
    """`source` and `target` are (server, database, table). What is not as it was, in words; nothing: all is equal."""
    ours, theirs = columns_of(servers, *source), columns_of(servers, *target)
    if not theirs:
        return {"is_equal": False, "altered": ["the table is not there"], "lost": [], "rows": None}
    both = [name for name in ours if name in theirs]
    missing, added = [name for name in ours if name not in theirs], [name for name in theirs if name not in ours]
    altered = [f"column `{name}` is not there" for name in missing]
    digest = whole_digest(servers, *source, both)
    found = whole_digest(servers, *target, both)
    if digest.split("|")[0] != found.split("|")[0]:
        altered.append(f"{digest.split('|')[0]} rows → {found.split('|')[0]}")
    if digest != found:
        altered += filter(None, (altered_column(servers, (source, target), name, ours[name], key) for name in both))
    lost = [f"`{name}` {ours[name]['type']} → {theirs[name]['type']}" for name in both if ours[name]["type"] != theirs[name]["type"]]
    nullable = [name for name in both if ours[name]["not_null"] and not theirs[name]["not_null"]]
    if nullable:
        lost.append(f"NOT NULL of {len(nullable)} columns")
    if key_of(servers, *source) != key_of(servers, *target):
        lost.append("the primary key")
    if added:
        lost.append("added: " + ", ".join(f"`{name}`" for name in added))
    return {"is_equal": not altered, "rows": int(found.split("|")[0]), "altered": altered, "lost": lost}
