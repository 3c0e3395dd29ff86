//! Lists laid out in columns, for people. Pure.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

/// Lays rows below a header, with a newline at the end. A title that starts with `>` aligns its
/// column to the right. Cells are never wrapped or cut, so that the text can be searched.
pub(super) fn lay(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(titles.iter().map(|title| Cell::new(title.trim_start_matches('>'))));
    table.add_rows(rows);
    for (index, title) in titles.iter().enumerate() {
        let Some(column) = table.column_mut(index) else { continue };
        column.set_padding((0, 2));
        if title.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}
