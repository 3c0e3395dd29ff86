//! Services that answer over HTTP: their sources, and their tables.

use super::{PLAIN, Section};

const ROW: Section = Section {
    title: "A service's table",
    owners: &["table `ASKED`", "table `CUT`", "table `WORKED`"],
    about: "In `[defaults]` may stand what holds for all of them, but `path`, `columns`, `key`, `work`. Texts of a request may hold \
            `{since}`, `{until}`, `{date}` and `{work.COLUMN}` ([HTTP.md](HTTP.md#what-is-asked)).",
    keys: &[
        ("path", "needed", "what is asked, below the source's url: `/rates/{date}`"),
        (
            "method",
            "`GET`; with a body `POST`",
            "`POST` only of what reads, as a search does: it is sent again after a failure",
        ),
        (
            "parameters",
            "",
            "of the query, by name; one for which there is nothing yet (`{since}` of the first load) is left out",
        ),
        ("headers", "", "of its requests, beside the source's"),
        ("body", "", "what is sent as JSON, with names in its texts"),
        ("form", "", "what is sent as form fields"),
        (
            "format",
            "`json`",
            "how answers are written; `ndjson`: one JSON text a line; `csv` with a line of names",
        ),
        ("records", "`$[*]`", "where records stand in an answer: `$.data[*]`"),
        (
            "columns",
            "needed",
            "each column's type, and where its value stands in the record: `day = \"date $.at\"`; without a path the field of its name. \
             `\"bigint {work.id}\"`: what was asked. [As a table](#columns) with `null`",
        ),
        ("key", "needed by `append` and `merge`", "the columns by which a row that comes again is known"),
        (
            "strategy",
            "`full`, with `work` `merge`",
            "`full`: all of it each time; `append`: records that are new; `merge`: new or changed ones",
        ),
        (
            "cursor",
            "needed with `{since}` and `windows`",
            "the column whose greatest value is `{since}` the next time",
        ),
        ("overlap", "`1h`", "how far below the watermark is asked again"),
        ("paging", "one page", "[what leads from page to page](#paging)"),
        ("windows", "", "time is cut, and each piece asked for by itself: `1d`, or [a table](#windows)"),
        ("from", "needed by `windows`", "from when on is asked, where there is no watermark"),
        (
            "work",
            "",
            "a SELECT in the warehouse, or a file with one: one request a row ([HTTP.md](HTTP.md#loops))",
        ),
        ("repeat", "once", "of `work`: `until empty` takes the next rows until there are none"),
        ("rounds", "100", "of `repeat = \"until empty\"`: how often at most"),
        ("repeat_for", "30 minutes", "of the same: for how long at most"),
        (
            "on_bad_record",
            "`fail`",
            "what becomes of a record that is not as the columns say: `reject` leaves it out and keeps it with why",
        ),
        (
            "duplicates",
            "`fail`",
            "what becomes of different records of one key; the same record twice counts once",
        ),
        (
            "on_not_found",
            "`fail`",
            "what an answer 404 means: `empty` is no records, `row` (of `work`) one that has only what was asked",
        ),
    ],
    takes: &[
        ("columns", "table of types"),
        ("format", "`json`, `ndjson`, `csv`"),
        ("windows", "time span, or table of keys"),
        ("body", "table of anything"),
    ],
    shared: &["A table's row"],
    without: &["where", "exclude", "deletes", "compare_every", "varchar"],
};

pub(super) const HTTP: &[Section] = &[
    Section {
        title: "[sources.SERVICE]",
        owners: &["[sources.SERVICE]", "[sources.OTHER]", "[sources.ANOTHER]"],
        about: "With `kind = \"http\"`.",
        keys: &[
            ("kind", "needed", "`http`"),
            ("url", "needed", "what paths are below of: `https://api.fx.example/v1`"),
            ("auth", "nobody", "[who asks](#auth)"),
            ("headers", "", "of each request: `{ accept-language = \"en\" }`"),
            ("connections", "`4`", "requests at once, over all processes"),
            ("limits", "", "[how often it may be asked](#limits), over all tables and processes"),
            ("limits_timezone", "`UTC`", "where its day begins"),
            ("connect_timeout", "`5s`", "how long a connection may take"),
            ("read_timeout", "`30s`", "how long nothing may come"),
            ("answer_timeout", "`5m`", "how long a whole answer may take"),
            ("attempts", "`4`", "how often one request is sent at most; each counts against the limits"),
            (
                "response_limit",
                "`8 MB`",
                "how large an answer may be, as sent and decompressed; at most 64 MB",
            ),
            (
                "redirects",
                "",
                "hosts that a redirect or a next url may lead to, beside its own; they are not told who asks",
            ),
            ("allow_http", "`false`", "ask without TLS"),
            (
                "allow_private",
                "`false`",
                "ask an address of loopback, a private network or a cloud's metadata",
            ),
            (
                "error_when",
                "",
                "an answer in which this finds something is an error, whatever its status: `$.error`",
            ),
            (
                "resume_for",
                "`1h`",
                "for how long after it was last worked at a collection that was cut off is gone on with",
            ),
            ("tls", "the system's certificates", "[certificates that are trusted](#tls-of-a-service)"),
            ("probe", "", "a path that `doctor` may ask, at the cost of one request"),
            (
                "mock",
                "",
                "in test mode answers come from files: `\"/rates/{date}\" = \"mock/{date}.json\"` ([HTTP.md](HTTP.md#without-the-service))",
            ),
        ],
        ..PLAIN
    },
    Section {
        title: "auth",
        owners: &["`auth` of [sources.SERVICE]", "`auth` of [sources.OTHER]", "`auth` of [sources.ANOTHER]"],
        about: "One of them. It stands in no stage, log or message, and goes to no other host.",
        keys: &[
            ("bearer", "", "`Authorization: Bearer …`"),
            ("basic", "", "`Authorization: Basic …`: `{ user = \"…\", password = \"${…}\" }`"),
            ("header", "", "a header of its own: `{ name = \"X-Key\", value = \"${…}\" }`"),
            ("query", "", "a parameter of each request: `{ name = \"key\", value = \"${…}\" }`"),
        ],
        ..PLAIN
    },
    Section {
        title: "basic",
        owners: &["`basic` of `auth` of [sources.SERVICE]"],
        keys: &[("user", "needed", "who"), ("password", "needed", "with which password")],
        ..PLAIN
    },
    Section {
        title: "header, query",
        owners: &["`header` of `auth` of [sources.OTHER]", "`query` of `auth` of [sources.ANOTHER]"],
        keys: &[("name", "needed", "its name"), ("value", "needed", "what it holds")],
        ..PLAIN
    },
    Section {
        title: "limits",
        owners: &["`limits` of [sources.SERVICE]"],
        about: "Remembered in the control database. A request counts from when it is sent until its span is over after its answer \
                ([HTTP.md](HTTP.md#limits)).",
        keys: &[
            ("second", "", "requests in any second"),
            ("minute", "", "in any minute"),
            ("hour", "", "in any hour"),
            ("day", "", "from midnight to midnight in `limits_timezone`"),
        ],
        ..PLAIN
    },
    Section {
        title: "tls of a service",
        owners: &["`tls` of [sources.SERVICE]"],
        keys: &[("ca", "the system's", "certificates that are trusted, as PEM; relative to the project")],
        ..PLAIN
    },
    Section {
        title: "A service's file",
        owners: &["the file loaders/service.toml"],
        about: "As [any file of loaders](#a-loaders-file), without `schema` and `consistent`; each table has a row of its own.",
        keys: &[
            ("source", "needed", "a source of `barncat.toml`"),
            ("into", "`[warehouse] schema`", "the warehouse's schema"),
            ("defaults", "", "what holds where a row says nothing"),
            (
                "tables",
                "needed",
                "one row a table: [`{ path = …, columns = … }`](#a-services-table), or `\"skip\"`",
            ),
        ],
        ..PLAIN
    },
    ROW,
    Section {
        title: "columns",
        owners: &["column `COLUMN` of `columns`"],
        about: "`\"TYPE PATH\"`, or a table of keys. Types: `text`, `smallint`, `integer`, `bigint`, `double precision`, `numeric`, \
                `numeric(p, s)`, `boolean`, `date`, `timestamp`, `timestamptz` (also `timestamptz epoch` and `timestamptz epoch_ms`, \
                seconds and milliseconds since 1970), `uuid`, `jsonb`.",
        keys: &[
            ("type", "needed", "its type"),
            (
                "path",
                "the field of its name",
                "where it stands in the record: a JSONPath; of CSV a field's name; `{work.id}`: what was asked",
            ),
            ("null", "`true`", "whether a record may be without it; never of a key"),
        ],
        ..PLAIN
    },
    Section {
        title: "paging",
        owners: &["`paging` of table `ASKED`"],
        about: "One of `link`, `next`, `cursor`, `page`, `offset`, and what belongs to it ([HTTP.md](HTTP.md#pages)).",
        keys: &[
            ("link", "", "the header `Link` with `rel=\"next\"`"),
            ("next", "", "the answer holds the next page's url: `$.next_url`"),
            ("cursor", "", "the answer holds a value that is given back as `parameter`: `$.meta.next`"),
            ("parameter", "needed by `cursor`", "as which parameter"),
            ("page", "", "the page's number is asked as this parameter"),
            ("first", "`1`", "of `page`: the first page's number"),
            ("offset", "", "how many records are left out is asked as this parameter"),
            ("size", "", "of `page` and `offset`: [how many records a page has](#size)"),
            (
                "short_is_last",
                "`false`",
                "of the same: a page with fewer records than were asked for is the last one; a service that gives fewer by itself would be cut short",
            ),
            (
                "total",
                "",
                "where an answer says how many records there are in all, which they are held against",
            ),
            ("more", "", "where an answer says whether more follows: `$.has_more`"),
            ("pages", "`100000`", "more pages of one query are an error"),
            ("in", "`query`", "`body`: what leads on is a field of the request's body"),
        ],
        ..PLAIN
    },
    Section {
        title: "size",
        owners: &["`size` of `paging` of table `ASKED`"],
        keys: &[
            ("records", "needed", "how many records a page has"),
            ("parameter", "", "as which parameter that is asked; without it the service knows"),
        ],
        ..PLAIN
    },
    Section {
        title: "windows",
        owners: &["`windows` of table `CUT`"],
        keys: &[
            ("length", "needed", "how long one is: `1d`"),
            ("timezone", "`UTC`", "where its days begin"),
            ("today", "`true`", "whether the window that now is in is asked for, too"),
        ],
        ..PLAIN
    },
];
