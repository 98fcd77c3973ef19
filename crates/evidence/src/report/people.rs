//! The credentials behind it: which stands for what.

use countersign_core::entry::{Body, GrantChange};

use super::words::{file_line, time};
use crate::case::Case;
use crate::page::{Block, Line, Tone};

pub(super) fn people(case: &Case<'_>) -> Vec<Block> {
    let mut rows = Vec::new();
    for (index, at, body) in case.chosen.bodies() {
        let (Body::Credential(credential), Some(id)) = (body, case.chosen.id_at(index)) else {
            continue;
        };
        let (tone, change) = match credential.change {
            GrantChange::Granted => (Tone::Plain, "granted"),
            GrantChange::Revoked => (Tone::Careful, "revoked"),
        };
        let roles: Vec<&str> = credential.roles.iter().map(|role| role.name()).collect();
        let by = match credential.credential {
            Some(by) => Line::of(case.credential_short(by)),
            None => Line::of("the first start"),
        };
        let cells = vec![
            Line::of(time(at)),
            Line::default().code(credential.subject),
            Line::default().mark(tone, change),
            Line::of(roles.join(", ")),
            by,
            file_line(case, id),
        ];
        rows.push((tone, cells));
    }
    if rows.is_empty() {
        return Vec::new();
    }
    vec![
        Block::Heading("The credentials behind it".to_owned()),
        Block::Table {
            caption: "Credentials that these entries name; whose each is, the operator knows"
                .to_owned(),
            head: vec!["Time", "Credential", "What", "Roles", "By", "File"],
            rows,
        },
    ]
}
