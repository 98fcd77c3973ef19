//! The report of an incident, for people.

mod calls;
mod checking;
mod html;
mod markdown;
mod people;
mod records;
mod rules;
mod summary;
mod timeline;
mod turns;
mod words;

pub(crate) use html::html;
pub(crate) use markdown::markdown;
pub(crate) use words::{file_line, standing_mark, state_line, time, whose};

use crate::answers::answers;
use crate::case::Case;
use crate::page::{Block, Page};

/// The report.
pub(crate) fn report(case: &Case<'_>) -> Page {
    let calls = case.calls();
    let mut blocks = summary::summary(case);
    blocks.push(Block::Heading("Four questions".to_owned()));
    blocks.extend(answers(case));
    blocks.extend(timeline::timeline(case));
    blocks.extend(summary::beginning(case));
    blocks.extend(turns::turns(case));
    blocks.extend(calls::calls(case, &calls));
    blocks.extend(rules::rules(case, &calls));
    blocks.extend(records::records(case));
    blocks.extend(people::people(case));
    blocks.extend(checking::checking(case));
    Page {
        title: summary::title(case),
        blocks,
    }
}
