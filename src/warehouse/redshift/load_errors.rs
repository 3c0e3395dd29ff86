//! Why a COPY failed: file, line, column and reason, without the value.

use super::{
    Cluster, RedshiftError,
    dialect::{folded, literal},
    parts, refused_row,
    transport::Batch,
};
use crate::{
    stage::{SharedStage, manifest::Manifest},
    warehouse::StagingSpec,
};

impl Cluster {
    /// What the system tables say of a COPY from this manifest, if they can be read; else the COPY's own
    /// error. `sys_load_error_detail` is there on every cluster, `stl_load_errors` on provisioned ones alone.
    pub(super) async fn why(
        &self,
        spec: &StagingSpec,
        manifest: &Manifest,
        stage: &SharedStage,
        error: RedshiftError,
    ) -> RedshiftError {
        let about_rows = matches!(&error, RedshiftError::Statement { message, .. }
            if message.contains("Load into table") || message.contains("load_error"));
        if !about_rows {
            return error;
        }
        let files = parts::url(stage, &parts::prefix_of(manifest));
        let prefix = literal(&files);
        let length = files.chars().count();
        let detail = format!(
            "SELECT trim(file_name)::varchar, line_number::varchar, trim(column_name)::varchar,
                    trim(column_length)::varchar, error_code::varchar || ' ' || trim(error_message)::varchar
             FROM sys_load_error_detail WHERE left(trim(file_name), {length}) = {prefix}
             ORDER BY start_time DESC, file_name, line_number LIMIT 1"
        );
        let errors = format!(
            "SELECT trim(filename)::varchar, line_number::varchar, trim(colname)::varchar,
                    trim(col_length)::varchar, err_code::varchar || ' ' || trim(err_reason)::varchar
             FROM stl_load_errors WHERE left(trim(filename), {length}) = {prefix}
             ORDER BY starttime DESC, filename, line_number LIMIT 1"
        );
        for sql in [detail, errors] {
            let asked = self.ask::<1>(Batch::new("look at what COPY refused", "load errors").then(sql)).await;
            let Ok([answer]) = asked else { continue };
            if let Some([file, line, column, length, reason]) = answer.rows.first().map(Vec::as_slice) {
                let text = |value: &Option<String>| value.clone().unwrap_or_default();
                let key = refused_row::key((&text(file), &text(line)), spec, manifest, stage).await;
                return RedshiftError::Row {
                    table: spec.table.clone(),
                    key,
                    file: text(file),
                    line: text(line),
                    column: folded(&text(column)),
                    length: match text(length).as_str() {
                        "" | "0" => String::new(),
                        length => format!(" of {length} bytes"),
                    },
                    reason: super::error::without_values(&text(reason)),
                };
            }
        }
        error
    }
}
