//! Functions and relations by name: those of Redshift, and what stands for them in Postgres.

/// Functions that Postgres has too, with the same meaning.
const SAME: &str = "abs acos ascii asin atan avg bit_and bit_or bool_and bool_or btrim cast ceil ceiling char_length \
     character_length chr coalesce concat cos count cume_dist date_part date_trunc degrees dense_rank exp \
     extract first_value floor greatest initcap lag last_value lead least left length ln log lower lpad \
     ltrim max md5 min mod nth_value ntile nullif octet_length percent_rank pi position power quote_ident \
     quote_literal radians random rank regexp_replace repeat replace reverse right round row_number rpad \
     rtrim sign sin split_part sqrt stddev stddev_pop stddev_samp strpos substring sum tan to_char \
     to_date to_hex to_number to_timestamp translate trim trunc upper var_pop var_samp variance \
     pg_backend_pid pg_cancel_backend pg_terminate_backend";

/// Functions that run on the leader node alone (§6.1): not together with user tables.
const LEADER: &str = "age current_database current_schema current_schemas generate_series has_column_privilege \
     has_database_privilege has_schema_privilege has_table_privilege now obj_description col_description \
     pg_get_constraintdef pg_get_expr pg_get_userbyid pg_table_is_visible txid_current \
     array_to_string pg_encoding_to_char";

/// Functions that the schema `redshift_double` has.
const OURS: &[&str] = &[
    "dateadd",
    "datediff",
    "format_type",
    "from_hex",
    "from_varbyte",
    "func_sha1",
    "getdate",
    "is_valid_json",
    "json_parse",
    "json_serialize",
    "len",
    "nvl",
    "nvl2",
    "pg_get_viewdef",
    "pg_last_copy_count",
    "pg_last_copy_id",
    "pg_last_query_id",
    "sha1",
    "sha2",
    "strtol",
    "to_varbyte",
    "version",
];

/// Views that the schema `redshift_double` has.
const VIEWS: &str = "pg_attribute pg_class_info pg_constraint pg_table_def pg_views stl_load_commits stl_load_errors \
     stv_db_isolation_level stv_slices svv_all_columns svv_attached_masking_policy svv_columns \
     svv_datashare_objects svv_mv_dependency svv_mv_info svv_redshift_columns svv_redshift_schemas \
     svv_redshift_tables svv_relation_privileges svv_rls_attached_policy svv_table_info svv_tables \
     svv_transactions sys_load_error_detail sys_load_history";

/// Words before a parenthesis that are not functions.
const GRAMMAR: &str = "all insert and any as between by case distinct else except exists from having ilike in intersect \
     interval is join like limit minus not on or over select some then union using values when where to \
     partition group recursive within set into matched offset similar rollup cube sets";

/// Types with a length, as in casts.
const TYPES: &[&str] = &[
    "bpchar",
    "char",
    "character",
    "decimal",
    "float",
    "nchar",
    "numeric",
    "nvarchar",
    "time",
    "timestamp",
    "varbinary",
    "varbyte",
    "varchar",
    "varying",
];

/// What a word before a parenthesis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Same,
    Leader,
    Ours,
    /// No function at all.
    Grammar,
    Unknown,
}

pub(super) fn call(word: &str) -> Call {
    match word {
        _ if has(SAME, word) => Call::Same,
        _ if OURS.contains(&word) => Call::Ours,
        _ if has(LEADER, word) => Call::Leader,
        _ if has(GRAMMAR, word) || TYPES.contains(&word) => Call::Grammar,
        _ => Call::Unknown,
    }
}

/// Whether the schema `redshift_double` stands for this relation of `pg_catalog`.
pub(super) fn is_view(word: &str) -> bool {
    has(VIEWS, word)
}

/// Whether it is one of a list's words.
pub(super) fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|item| item == word)
}
