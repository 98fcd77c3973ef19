//! How to check all this, and what it does not show.

use countersign_verify::Word;

use crate::case::Case;
use crate::format;
use crate::page::{Block, Line};

pub(super) fn checking(case: &Case<'_>) -> Vec<Block> {
    let mut shown = vec![
        Line::of(
            "Entries that this folder leaves out: it is a selection. Whether the log holds more about it shows only in the log itself, checked as a whole.",
        ),
        Line::of("Calls that were made around the product: only what was asked is in the log."),
        Line::of(
            "The true time of an entry: times are the operator's, only their order is checked.",
        ),
        Line::of(
            "That a turn's words are the person's: that is as sure as the ingress that registered them.",
        ),
        Line::of("That executions happened as reported: the tool's side says so."),
        Line::of(
            "This report itself: it is made from the files beside it, by whoever made the folder. What counts is what the files prove.",
        ),
    ];
    if case.standing.word == Word::Unanchored {
        shown.push(Line::of(
            "That the entries were not written anew by whoever has the log's key: a checkpoint that was kept elsewhere, or witnesses, would show it.",
        ));
    }
    vec![
        Block::Heading("How to check it, and what it does not show".to_owned()),
        Block::Para(
            Line::of("Without a server, with the log's key from another place than this folder: ")
                .code("countersign verify . --key YOUR-KEY --checkpoint YOUR-CHECKPOINT --rejudge")
                .text(". ")
                .file(format::README, format::README)
                .text(" has this and the ways that need nothing of ours."),
        ),
        Block::Para(Line::of("What this does not show:")),
        Block::List(shown),
    ]
}
