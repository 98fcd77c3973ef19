//! Comma-separated values (RFC 4180), as they come in: quoted fields may hold commas, quotes and
//! line ends.

use std::collections::BTreeSet;

/// Why a text is no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CsvError {
    #[error("line {0}: a quote stands within a field, or after one")]
    Quote(usize),
    #[error("line {0}: a quoted field has no end")]
    Open(usize),
    #[error("line {line}: there are {found} fields; the first line has {expected}")]
    Fields {
        line: usize,
        found: usize,
        expected: usize,
    },
    #[error("there is no first line with names")]
    Empty,
    #[error("two columns have the name `{}`", .0.escape_debug())]
    Twice(String),
}

/// A row: the line that it begins on, and its fields.
pub(super) type Row = (usize, Vec<String>);

/// The names of the first line, and the rows. Empty lines are passed over.
pub(super) fn read(text: &str) -> Result<(Vec<String>, Vec<Row>), CsvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        rest: text.chars().peekable(),
        line: 1,
    };
    let mut rows = Vec::new();
    while reader.rest.peek().is_some() {
        let line = reader.line;
        let fields = reader.row()?;
        if fields.iter().any(|field| !field.is_empty()) {
            rows.push((line, fields));
        }
    }
    let mut rows = rows.into_iter();
    let (_, names) = rows.next().ok_or(CsvError::Empty)?;
    // Columns without a name are passed over, so there may be many.
    let mut known: BTreeSet<&str> = BTreeSet::new();
    if let Some(twice) = names.iter().find(|it| !it.is_empty() && !known.insert(it)) {
        return Err(CsvError::Twice(twice.clone()));
    }
    let rows: Vec<Row> = rows.collect();
    match rows.iter().find(|(_, fields)| fields.len() != names.len()) {
        None => Ok((names, rows)),
        Some((line, fields)) => Err(CsvError::Fields {
            line: *line,
            found: fields.len(),
            expected: names.len(),
        }),
    }
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn row(&mut self) -> Result<Vec<String>, CsvError> {
        let mut fields = Vec::new();
        loop {
            let field = match self.rest.peek() {
                Some('"') => self.quoted()?,
                _ => self.plain()?,
            };
            fields.push(field);
            match self.rest.next() {
                Some(',') => {}
                None => return Ok(fields),
                Some('\r') => {
                    self.rest.next_if_eq(&'\n');
                    self.line += 1;
                    return Ok(fields);
                }
                Some('\n') => {
                    self.line += 1;
                    return Ok(fields);
                }
                Some(_) => return Err(CsvError::Quote(self.line)),
            }
        }
    }

    fn plain(&mut self) -> Result<String, CsvError> {
        let mut field = String::new();
        while let Some(next) = self.rest.next_if(|next| !matches!(next, ',' | '\r' | '\n')) {
            if next == '"' {
                return Err(CsvError::Quote(self.line));
            }
            field.push(next);
        }
        Ok(field)
    }

    fn quoted(&mut self) -> Result<String, CsvError> {
        let began = self.line;
        self.rest.next();
        let mut field = String::new();
        loop {
            match self.rest.next() {
                None => return Err(CsvError::Open(began)),
                Some('"') if self.rest.next_if_eq(&'"').is_some() => field.push('"'),
                Some('"') => return Ok(field),
                Some(next) => {
                    self.line += usize::from(next == '\n');
                    field.push(next);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_as_they_were_meant() {
        let text = "\u{feff}tool,args\r\nsend,\"{\"\"to\"\": \"\"a,b\"\"}\"\r\n\r\nread,\"two\nlines\"\nlast,";
        let (names, rows) = read(text).unwrap();
        assert_eq!(names, ["tool", "args"]);
        assert_eq!(
            rows[0],
            (2, vec!["send".to_owned(), r#"{"to": "a,b"}"#.to_owned()])
        );
        assert_eq!(
            rows[1],
            (4, vec!["read".to_owned(), "two\nlines".to_owned()])
        );
        assert_eq!(rows[2], (6, vec!["last".to_owned(), String::new()]));
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        for (text, error) in [
            ("", CsvError::Empty),
            ("\n\n", CsvError::Empty),
            ("a,b\n1,\"2", CsvError::Open(2)),
            ("a\nx\"y", CsvError::Quote(2)),
            ("tool,,b,,tool\n1,,2,,3", CsvError::Twice("tool".to_owned())),
            ("a\n\"x\"y", CsvError::Quote(2)),
            (
                "a,b\n1",
                CsvError::Fields {
                    line: 2,
                    found: 1,
                    expected: 2,
                },
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), error, "{text:?}");
        }
    }
}
