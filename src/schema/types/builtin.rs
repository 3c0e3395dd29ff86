//! The types that every Postgres has, and how each of them crosses to another server.
//!
//! What is said of each was tried on PostgreSQL 15; a type that is not listed goes as text.

/// How a built-in type arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carry {
    /// As itself.
    Same,
    /// As itself, but sent as its text: the type's own output leaves something out.
    SameByText,
    /// As `numeric`.
    Numeric,
    /// As `text`.
    Text,
}

/// Whether binary COPY carries it unchanged. Arrays of built-in types go as their elements do: an
/// array's header names the element's oid, and those of built-in types are the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    /// Yes.
    Always,
    /// Unless it goes from this version or a newer one to an older one, which does not know all of
    /// the values. (As text such a value is a clear error.)
    Since(u32),
    /// Between servers of one major version.
    SameMajor,
    /// No.
    Never,
}

/// One built-in type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Builtin {
    /// `pg_type.typname`.
    pub(super) name: &'static str,
    /// How it arrives.
    pub(super) carry: Carry,
    /// Whether binary COPY carries it.
    pub(super) binary: Binary,
    /// The first `server_version_num` that has it, where servers without it are about.
    pub(super) since: u32,
    /// Why it does not arrive as itself.
    pub(super) why: &'static str,
}

/// The type of that name.
pub(super) fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|builtin| builtin.name == name)
}

const fn same(name: &'static str) -> Builtin {
    Builtin { name, carry: Carry::Same, binary: Binary::Always, since: 0, why: "" }
}

const fn text(name: &'static str, why: &'static str) -> Builtin {
    // What leaves the source is text, and that is always carried.
    Builtin { name, carry: Carry::Text, binary: Binary::Always, since: 0, why }
}

impl Builtin {
    const fn binary(self, binary: Binary) -> Self {
        Self { binary, ..self }
    }

    const fn since(self, since: u32) -> Self {
        Self { since, ..self }
    }
}

/// `numeric` knows infinity since 14, and so does what is made of it.
const INFINITE_NUMERIC: Binary = Binary::Since(140_000);

const BY_NAME: &str = "its values name an object of the source's database";
const INTERNAL: &str = "no value of it can be written by a client";

const BUILTINS: &[Builtin] = &[
    same("bool"),
    same("int2"),
    same("int4"),
    same("int8"),
    same("float4"),
    same("float8"),
    same("numeric").binary(INFINITE_NUMERIC),
    // How many digits follow the point, and the sign before it, depend on `lc_monetary`, in text and
    // in binary; as numeric the amount arrives as the source means it.
    Builtin {
        name: "money",
        carry: Carry::Numeric,
        binary: INFINITE_NUMERIC,
        since: 0,
        why: "what its values mean depends on the server's lc_monetary",
    },
    same("text"),
    same("varchar"),
    same("bpchar"),
    same("name"),
    same("char"),
    same("bytea"),
    same("bit"),
    same("varbit"),
    same("uuid"),
    same("date"),
    same("time"),
    same("timetz"),
    same("timestamp"),
    same("timestamptz"),
    // Knows infinity since 17; an older server would read it as a very long one.
    same("interval").binary(Binary::Since(170_000)),
    same("json"),
    same("jsonb"),
    // Its methods are numbered anew as there are more of them.
    same("jsonpath").binary(Binary::SameMajor).since(120_000),
    // Its output drops `<?xml version="1.0" encoding="UTF-8"?>`, in CSV; its binary form writes one
    // that was not there. Cast to text it is what was stored.
    Builtin { name: "xml", carry: Carry::SameByText, binary: Binary::Never, since: 0, why: "" },
    same("inet"),
    same("cidr"),
    same("macaddr"),
    same("macaddr8"),
    same("point"),
    same("line"),
    same("lseg"),
    same("box"),
    same("path"),
    same("polygon"),
    same("circle"),
    same("tsvector"),
    // As with oidvector: an empty one is sent, and refused.
    same("tsquery").binary(Binary::Never),
    same("int4range"),
    same("int8range"),
    same("numrange").binary(INFINITE_NUMERIC),
    same("daterange"),
    same("tsrange"),
    same("tstzrange"),
    same("int4multirange").since(140_000),
    same("int8multirange").since(140_000),
    same("nummultirange").binary(INFINITE_NUMERIC).since(140_000),
    same("datemultirange").since(140_000),
    same("tsmultirange").since(140_000),
    same("tstzmultirange").since(140_000),
    same("oid"),
    same("xid"),
    same("xid8").since(130_000),
    same("cid"),
    same("tid"),
    // Their binary input refuses what their output makes of an empty one.
    same("oidvector").binary(Binary::Never),
    same("int2vector").binary(Binary::Never),
    same("pg_lsn"),
    same("pg_snapshot").since(130_000),
    same("txid_snapshot"),
    same("refcursor"),
    // In binary these are oids, which differ between databases; as text they are read back only
    // where an object of that name is.
    text("regclass", BY_NAME),
    text("regcollation", BY_NAME),
    text("regconfig", BY_NAME),
    text("regdictionary", BY_NAME),
    text("regnamespace", BY_NAME),
    text("regoper", BY_NAME),
    text("regoperator", BY_NAME),
    text("regproc", BY_NAME),
    text("regprocedure", BY_NAME),
    text("regrole", BY_NAME),
    text("regtype", BY_NAME),
    text("aclitem", BY_NAME),
    text("gtsvector", INTERNAL),
    text("pg_node_tree", INTERNAL),
    text("pg_ndistinct", INTERNAL),
    text("pg_dependencies", INTERNAL),
    text("pg_mcv_list", INTERNAL),
    text("pg_brin_bloom_summary", INTERNAL),
    text("pg_brin_minmax_multi_summary", INTERNAL),
];
