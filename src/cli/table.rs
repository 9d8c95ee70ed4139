//! Text in aligned columns.

/// Rows under headings, columns two spaces apart.
#[derive(Debug)]
pub struct TextTable {
    /// Column headings, and whether the column contains numbers, which are right-aligned.
    columns: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// A table with these columns: `(heading, contains numbers)`.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, bool)>) -> Self {
        Self { columns: columns.into_iter().map(|(name, right)| (name.to_owned(), right)).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// The table as text. Every line is indented by `indent` spaces and ends with a newline; empty columns are left
    /// out.
    pub fn render(&self, indent: usize) -> String {
        let used: Vec<usize> =
            (0..self.columns.len()).filter(|&column| self.rows.iter().any(|row| !row[column].is_empty())).collect();
        let headings: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let has_headings = headings.iter().any(|heading| !heading.is_empty());
        let lines: Vec<&Vec<String>> = has_headings.then_some(&headings).into_iter().chain(&self.rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = used.iter().map(|&column| width(column)).collect();
        let mut text = String::new();
        for line in lines {
            let cells = used.iter().zip(&widths).map(|(&column, &width)| match self.columns[column].1 {
                true => format!("{:>width$}", line[column]),
                false => format!("{:<width$}", line[column]),
            });
            let joined = cells.collect::<Vec<_>>().join("  ");
            text.push_str(&format!("{:indent$}{}", "", joined));
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_right_aligned_and_empty_columns_vanish() {
        let mut table = TextTable::new([("label", false), ("loss", true), ("nothing", false)]);
        table.row(["adam".to_owned(), "0.04".to_owned()]);
        table.row(["ä".to_owned(), "12.5".to_owned()]);
        assert_eq!(table.render(2), "  label  loss\n  adam   0.04\n  ä      12.5\n");
    }
}
