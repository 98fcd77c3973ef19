//! The report as one HTML page: no script, nothing from elsewhere.

use std::fmt::Write as _;

use countersign_core::plain;

use crate::markup::{escaped, only_style};
use crate::page::{Block, Line, Page, Span, Tone};
use crate::text::{line, shown};

/// The page's own style.
const STYLE: &str = include_str!("report.css");

/// The page.
pub(crate) fn html(page: &Page) -> Vec<u8> {
    let mut out =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    let _ = write!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{}</h1>\n",
        only_style(STYLE),
        escaped(&line(&page.title)),
        escaped(&line(&page.title)),
    );
    for block in &page.blocks {
        write_block(&mut out, block);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out.into_bytes()
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Careful => "careful",
        Tone::Bad => "bad",
        Tone::Plain => "plain",
    }
}

fn write_block(out: &mut String, block: &Block) {
    let _ = match block {
        Block::Heading(text) => writeln!(out, "<h2>{}</h2>", escaped(&line(text))),
        Block::Lead(text) => writeln!(out, "<p class=\"lead\">{}</p>", spans(text)),
        Block::Para(text) => writeln!(out, "<p>{}</p>", spans(text)),
        Block::Words { by, text, whole } => words(out, by, text, whole.as_deref()),
        Block::Code(text) => writeln!(
            out,
            "<pre dir=\"ltr\"><code>{}</code></pre>",
            escaped(&plain(text))
        ),
        Block::List(items) => {
            out.push_str("<ul>\n");
            for item in items {
                let _ = writeln!(out, "<li>{}</li>", spans(item));
            }
            writeln!(out, "</ul>")
        }
        Block::Facts(facts) => {
            out.push_str("<dl>\n");
            for (name, value) in facts {
                let _ = writeln!(
                    out,
                    "<div><dt>{}</dt><dd>{}</dd></div>",
                    escaped(name),
                    spans(value)
                );
            }
            writeln!(out, "</dl>")
        }
        Block::Table {
            caption,
            head,
            rows,
        } => table(out, caption, head, rows),
        Block::Tiles(tiles) => {
            out.push_str("<ul class=\"tiles\">\n");
            for (tone, number, label) in tiles {
                let _ = writeln!(
                    out,
                    "<li class=\"{}\"><b>{number}</b> <span>{}</span></li>",
                    class(*tone),
                    escaped(&line(label))
                );
            }
            writeln!(out, "</ul>")
        }
        Block::Card {
            tone,
            title,
            blocks,
        } => {
            let _ = write!(
                out,
                "<article class=\"{}\">\n<h3>{}</h3>\n",
                class(*tone),
                spans(title)
            );
            blocks.iter().for_each(|block| write_block(out, block));
            writeln!(out, "</article>")
        }
    };
}

fn words(out: &mut String, by: &str, text: &str, whole: Option<&str>) -> std::fmt::Result {
    let (text, is_all) = shown(text);
    write!(
        out,
        "<figure>\n<figcaption>{}</figcaption>\n<blockquote dir=\"auto\">{}{}</blockquote>\n",
        escaped(&line(by)),
        escaped(&plain(text)),
        if is_all { "" } else { "\u{2026}" }
    )?;
    if let (false, Some(file)) = (is_all, whole) {
        let file = escaped(&line(file));
        writeln!(
            out,
            "<p class=\"soft\">Cut here; the whole is in <a href=\"{file}\">{file}</a>.</p>"
        )?;
    }
    writeln!(out, "</figure>")
}

fn table(
    out: &mut String,
    caption: &str,
    head: &[&'static str],
    rows: &[(Tone, Vec<Line>)],
) -> std::fmt::Result {
    let label = escaped(&line(caption));
    write!(
        out,
        "<div class=\"wide\" role=\"region\" aria-label=\"{label}\" tabindex=\"0\">\n<table role=\"table\">\n<caption>{label}</caption>\n<thead><tr role=\"row\">"
    )?;
    for name in head {
        write!(
            out,
            "<th scope=\"col\" role=\"columnheader\">{}</th>",
            escaped(name)
        )?;
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (tone, cells) in rows {
        write!(out, "<tr role=\"row\" class=\"{}\">", class(*tone))?;
        for (name, cell) in head.iter().zip(cells) {
            write!(
                out,
                "<td role=\"cell\" data-name=\"{}\">{}</td>",
                escaped(name),
                spans(cell)
            )?;
        }
        out.push_str("</tr>\n");
    }
    writeln!(out, "</tbody>\n</table>\n</div>")
}

fn spans(text: &Line) -> String {
    let mut out = String::new();
    for span in &text.0 {
        let _ = match span {
            Span::Text(text) => write!(out, "{}", escaped(&line(text))),
            Span::Strong(text) => write!(out, "<strong>{}</strong>", escaped(&line(text))),
            Span::Mark(tone, text) => write!(
                out,
                "<strong class=\"mark {}\">{}</strong>",
                class(*tone),
                escaped(&line(text))
            ),
            Span::Code(text) => write!(out, "<code>{}</code>", escaped(&line(text))),
            Span::Outside(text) => {
                let (text, is_all) = shown(text);
                let end = if is_all { "" } else { "\u{2026}" };
                write!(
                    out,
                    "<code class=\"outside\" dir=\"ltr\">{}{end}</code>",
                    escaped(&line(text))
                )
            }
            Span::File(name, label) => write!(
                out,
                "<a href=\"{}\">{}</a>",
                escaped(&line(name)),
                escaped(&line(label))
            ),
        };
    }
    out
}
