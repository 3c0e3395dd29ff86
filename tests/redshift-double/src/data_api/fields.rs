//! Values and columns as the Data API shows them (§7).

use serde_json::{Value, json};
use tokio_postgres::types::Type;

use crate::engine::outcome::ResultColumn;

/// One value: whole numbers are `longValue`, floats `doubleValue`, booleans `booleanValue`; decimals,
/// times and all else are text.
pub(super) fn field(column: &ResultColumn, value: Option<&str>) -> Value {
    let Some(text) = value else { return json!({ "isNull": true }) };
    let typed = match column.type_ {
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => {
            text.parse::<i64>().ok().map(|number| json!({ "longValue": number }))
        }
        Type::FLOAT4 | Type::FLOAT8 => {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            number.map(|number| json!({ "doubleValue": number }))
        }
        Type::BOOL => Some(json!({ "booleanValue": text == "t" })),
        _ => None,
    };
    typed.unwrap_or_else(|| json!({ "stringValue": text }))
}

pub(super) fn metadata(column: &ResultColumn) -> Value {
    let (precision, scale) = precision(column);
    json!({
        "name": column.name,
        "label": column.name,
        "typeName": type_name(&column.type_),
        "length": 0,
        "nullable": 1,
        "precision": precision,
        "scale": scale,
        "schemaName": "",
        "tableName": "",
        "isCaseSensitive": matches!(column.type_, Type::VARCHAR | Type::BPCHAR | Type::TEXT),
        "isCurrency": false,
        "isSigned": is_signed(&column.type_),
    })
}

fn is_signed(type_: &Type) -> bool {
    matches!(*type_, Type::INT2 | Type::INT4 | Type::INT8 | Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC)
}

/// Of a numeric by its modifier, of a text by its length: modifiers are 4 more than what was declared.
fn precision(column: &ResultColumn) -> (i32, i32) {
    let declared = column.modifier - 4;
    match column.type_ {
        Type::NUMERIC if declared >= 0 => (declared >> 16, declared & 0xffff),
        Type::INT2 => (5, 0),
        Type::INT4 => (10, 0),
        Type::INT8 => (19, 0),
        Type::VARCHAR | Type::BPCHAR if declared >= 0 => (declared, 0),
        _ => (0, 0),
    }
}

/// The names that Redshift has for types; those that only Postgres has become text.
fn type_name(type_: &Type) -> &str {
    match *type_ {
        Type::JSONB => "super",
        Type::BYTEA => "varbyte",
        Type::TEXT | Type::UNKNOWN => "varchar",
        _ => type_.name(),
    }
}
