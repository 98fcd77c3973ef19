//! Here-documents: their text stands after the line that names them.

use super::Parser;
use crate::unparsed::Unparsed;

/// A here-document whose text is to come.
pub(super) struct Pending {
    pub(super) end: String,
    pub(super) strips_tabs: bool,
    /// Whether its text is taken as it is.
    pub(super) is_quoted: bool,
}

impl Parser<'_, '_> {
    /// Takes the texts of all here-documents of the line that has just ended.
    pub(super) fn here_documents(&mut self) -> Result<(), Unparsed> {
        for pending in std::mem::take(&mut self.pending) {
            let start = self.at;
            let end = self.skip_document(&pending)?;
            if !pending.is_quoted {
                let after = self.at;
                self.at = start;
                self.expand_document(end)?;
                self.at = after;
            }
        }
        Ok(())
    }

    /// Goes behind the line that ends the document; where that line begins.
    fn skip_document(&mut self, pending: &Pending) -> Result<usize, Unparsed> {
        loop {
            let start = self.at;
            let rest = self.rest();
            if rest.is_empty() {
                return Err(self.refuse("a here-document does not end"));
            }
            let end = rest.find('\n');
            let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or("");
            self.at += end.map_or(rest.len(), |end| end + 1);
            let stripped = line.trim_start_matches('\t');
            let line = if pending.strips_tabs { stripped } else { line };
            if line == pending.end {
                return Ok(start);
            }
            // Shells differ in whether `END)` or ` END` ends it.
            if line.trim_start().starts_with(&pending.end) {
                return Err(self.refuse("a line of a here-document looks like its end"));
            }
        }
    }

    /// What runs within a document whose text is expanded.
    fn expand_document(&mut self, end: usize) -> Result<(), Unparsed> {
        let mut inner = Vec::new();
        while self.at < end {
            match self.next() {
                Some('\\') => {
                    self.next();
                }
                Some('$') => {
                    self.dollar(true, &mut inner)?;
                }
                Some('`') => inner.push(self.backquoted(true)?),
                _ => {}
            }
        }
        if self.at > end {
            return Err(self.refuse("a substitution goes on behind its here-document"));
        }
        self.shared.loose.append(&mut inner);
        Ok(())
    }
}
