//! The report as Markdown, for those who read text.

use std::fmt::Write as _;

use countersign_core::plain;

use crate::page::{Block, Line, Page, Span};
use crate::text::{line, shown};

/// The text.
pub(crate) fn markdown(page: &Page) -> Vec<u8> {
    let mut out = format!("# {}\n\n", escaped(&line(&page.title)));
    for block in &page.blocks {
        write_block(&mut out, block);
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out.into_bytes()
}

fn write_block(out: &mut String, block: &Block) {
    let _ = match block {
        Block::Heading(text) => write!(out, "## {}\n\n", escaped(&line(text))),
        Block::Lead(text) | Block::Para(text) => write!(out, "{}\n\n", spans(text, false)),
        Block::Words { by, text, whole } => {
            let (text, is_all) = shown(text);
            let _ = write!(out, "{}:\n\n", escaped(&line(by)));
            fence(out, &plain(text));
            match (is_all, whole) {
                (false, Some(file)) => {
                    write!(out, "Cut here; the whole is in {}.\n\n", link(file, file))
                }
                _ => Ok(()),
            }
        }
        Block::Code(text) => {
            fence(out, &plain(text));
            Ok(())
        }
        Block::List(items) => {
            for item in items {
                let _ = writeln!(out, "- {}", spans(item, false));
            }
            writeln!(out)
        }
        Block::Facts(facts) => {
            for (name, value) in facts {
                let _ = writeln!(out, "- **{}**: {}", escaped(name), spans(value, false));
            }
            writeln!(out)
        }
        Block::Table {
            caption,
            head,
            rows,
        } => {
            let _ = write!(
                out,
                "{}:\n\n| {} |\n|",
                escaped(&line(caption)),
                head.join(" | ")
            );
            head.iter().for_each(|_| out.push_str(" --- |"));
            out.push('\n');
            for (_, cells) in rows {
                let cells: Vec<String> = cells.iter().map(|cell| spans(cell, true)).collect();
                let _ = writeln!(out, "| {} |", cells.join(" | "));
            }
            writeln!(out)
        }
        Block::Tiles(tiles) => {
            for (_, number, label) in tiles {
                let _ = writeln!(out, "- **{number}** {}", escaped(&line(label)));
            }
            writeln!(out)
        }
        Block::Card { title, blocks, .. } => {
            let _ = write!(out, "### {}\n\n", spans(title, false));
            blocks.iter().for_each(|block| write_block(out, block));
            Ok(())
        }
    };
}

/// A block of code whose fence is longer than any run of backticks in it (CommonMark 4.5).
fn fence(out: &mut String, text: &str) {
    let fence = "`".repeat(longest_run(text).saturating_add(1).max(3));
    let _ = write!(
        out,
        "{fence}text\n{}\n{fence}\n\n",
        text.trim_end_matches('\n')
    );
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0usize;
    let mut run = 0usize;
    for character in text.chars() {
        run = match character {
            '`' => run.saturating_add(1),
            _ => 0,
        };
        longest = longest.max(run);
    }
    longest
}

/// A code span, in which nothing is markup (CommonMark 6.1; GFM: in a table a bar still is).
fn code(text: &str, is_in_table: bool) -> String {
    let text = match is_in_table {
        true => text.replace('|', "\\|"),
        false => text.to_owned(),
    };
    if text.trim().is_empty() {
        return "``  ``".to_owned();
    }
    let ticks = "`".repeat(longest_run(&text).saturating_add(1));
    match text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        true => format!("{ticks} {text} {ticks}"),
        false => format!("{ticks}{text}{ticks}"),
    }
}

fn link(name: &str, label: &str) -> String {
    format!("[{}](<{}>)", escaped(&line(label)), line(name))
}

fn spans(text: &Line, is_in_table: bool) -> String {
    let mut out = String::new();
    for span in &text.0 {
        match span {
            Span::Text(text) => out.push_str(&escaped(&line(text))),
            Span::Strong(text) | Span::Mark(_, text) => {
                let _ = write!(out, "**{}**", escaped(&line(text)));
            }
            Span::Code(text) => out.push_str(&code(&line(text), is_in_table)),
            Span::Outside(text) => {
                let (text, is_all) = shown(text);
                out.push_str(&code(&line(text), is_in_table));
                out.push_str(if is_all { "" } else { "\u{2026}" });
            }
            Span::File(name, label) => out.push_str(&link(name, label)),
        }
    }
    out
}

/// Text in which nothing is markup, be it Markdown's or HTML's.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_leave_its_code() {
        assert_eq!(code("a`b", false), "``a`b``");
        assert_eq!(code("`", false), "`` ` ``");
        assert_eq!(code("a|b", true), "`a\\|b`");
        let mut out = String::new();
        fence(&mut out, "x\n````\n# no heading");
        assert!(out.starts_with("`````text\nx\n````\n"), "{out}");
        assert_eq!(escaped("<b>*a*</b>"), "&lt;b&gt;\\*a\\*&lt;/b&gt;");
    }
}
