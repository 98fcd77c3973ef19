//! Tables in Markdown, which read as well in a terminal as in `docs/`.

use std::fmt::Write as _;

/// A table with one heading line.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Table {
    /// Headings; one that begins with `>` is of a column of numbers, set to the right.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let right = headings
            .iter()
            .map(|heading| heading.starts_with('>'))
            .collect();
        let heading = |text: &&str| text.trim_start_matches('>').to_owned();
        Self {
            rows: vec![headings.iter().map(heading).collect()],
            right,
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| cell.replace('|', "\\|"))
                .collect(),
        );
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
                .max(3)
        };
        for (n, row) in self.rows.iter().enumerate() {
            for (column, (cell, right)) in row.iter().zip(&self.right).enumerate() {
                let width = width(column);
                match right {
                    true => write!(f, "| {cell:>width$} ")?,
                    false => write!(f, "| {cell:<width$} ")?,
                }
            }
            f.write_str("|\n")?;
            if n == 0 {
                for (column, right) in self.right.iter().enumerate() {
                    let dashes = "-".repeat(width(column) - usize::from(*right));
                    write!(f, "| {dashes}{} ", if *right { ":" } else { "" })?;
                }
                f.write_str("|\n")?;
            }
        }
        Ok(())
    }
}

/// A count in groups of three digits.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share in percent with two decimals.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let mut out = String::new();
    match whole {
        0 => out.push('–'),
        // Cut, not rounded: 99.996 % are not 100.00 %.
        _ => drop(write!(
            out,
            "{:.2} %",
            (part as f64 / whole as f64 * 10_000.0).floor() / 100.0
        )),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(&["what", ">calls"]);
        table.row(vec!["a|b".into(), grouped(1_234)]);
        assert_eq!(
            table.to_string(),
            "| what | calls |\n| ---- | ----: |\n| a\\|b | 1,234 |\n"
        );
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        assert_eq!(percent(99_999, 100_000), "99.99 %");
        assert_eq!(percent(1, 1), "100.00 %");
        assert_eq!(percent(0, 0), "–");
        assert_eq!(
            (grouped(7), grouped(1_000), grouped(1_234_567)),
            ("7".into(), "1,000".into(), "1,234,567".into())
        );
    }
}
