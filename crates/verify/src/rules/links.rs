//! Links name earlier entries of a fitting kind.

use std::collections::HashMap;

use countersign_core::entry::{Body, Hold, HoldChange, Kind, Links};
use countersign_core::entry::{Decision, Delegation, Flag, Review};
use countersign_core::ids::EntryId;

use super::Place;
use super::decisions::Decisions;
use crate::report::{At, Check};

/// What a link of an entry may name, and whether the kind needs it.
struct Allowed {
    link: &'static str,
    kind: &'static str,
    is_needed: bool,
    is_escalation: bool,
}

const fn may(link: &'static str, kind: &'static str) -> Allowed {
    Allowed {
        link,
        kind,
        is_needed: false,
        is_escalation: false,
    }
}

const fn must(link: &'static str, kind: &'static str) -> Allowed {
    Allowed {
        is_needed: true,
        ..may(link, kind)
    }
}

const fn escalation(allowed: Allowed) -> Allowed {
    Allowed {
        is_escalation: true,
        ..allowed
    }
}

const OF_DECISION: &[Allowed] = &[
    may("review", Review::KIND),
    escalation(may("resolves", Decision::KIND)),
    may("delegation", Delegation::KIND),
    may("modifies", Decision::KIND),
    may("continues", Decision::KIND),
    may("shadows", Decision::KIND),
];
const OF_EXECUTION: &[Allowed] = &[must("decision", Decision::KIND)];
const OF_PERMIT_REFUSED: &[Allowed] = &[may("decision", Decision::KIND)];
const OF_REVIEW: &[Allowed] = &[escalation(must("review", Decision::KIND))];
const OF_EXPIRED: &[Allowed] = &[escalation(must("resolves", Decision::KIND))];
const OF_DELEGATION: &[Allowed] = &[may("delegation", Delegation::KIND)];
const OF_HOLD_LIFTED: &[Allowed] = &[must("hold", Hold::KIND)];
const OF_FLAG_NEWS: &[Allowed] = &[must("flag", Flag::KIND)];

/// Checks every link of the entry.
pub(crate) fn check(at: &mut At<'_>, entries: &HashMap<EntryId, Place>, decisions: &Decisions) {
    let Some((links, allowed)) = of(&at.entry.body) else {
        return;
    };
    for (name, target) in each(links) {
        let rule = allowed.iter().find(|rule| rule.link == name);
        match (target, rule) {
            (None, None) => {}
            (None, Some(rule)) => {
                let expected = format_args!("`{name}` names a {}", rule.kind);
                at.require(
                    !rule.is_needed,
                    Check::Link,
                    format_args!("no `{name}`"),
                    expected,
                );
            }
            (Some(_), None) => {
                let expected = "only the links of its kind";
                at.fail(Check::Link, format_args!("`{name}`"), expected);
            }
            (Some(id), Some(rule)) => resolve(at, name, id, rule, entries, decisions),
        }
    }
}

fn resolve(
    at: &mut At<'_>,
    name: &str,
    id: EntryId,
    rule: &Allowed,
    entries: &HashMap<EntryId, Place>,
    decisions: &Decisions,
) {
    let expected = format_args!("an earlier {}", rule.kind);
    match entries.get(&id) {
        None => at.fail(
            Check::Link,
            format_args!("`{name}` names {id}, no earlier entry"),
            expected,
        ),
        Some(place) if place.kind != rule.kind => {
            let found = format_args!("`{name}` names entry {}, a {}", place.index, place.kind);
            at.fail(Check::Link, found, expected);
        }
        Some(place) => {
            let fits = !rule.is_escalation || decisions.is_escalation(&id);
            let found = format_args!(
                "`{name}` names entry {}, which escalated nothing",
                place.index
            );
            at.require(fits, Check::Link, found, "an earlier escalated decision");
        }
    }
}

fn of(body: &Body) -> Option<(&Links, &'static [Allowed])> {
    match body {
        Body::Decision(body) => Some((&body.links, OF_DECISION)),
        Body::Execution(body) => Some((&body.links, OF_EXECUTION)),
        Body::PermitRefused(body) => Some((&body.links, OF_PERMIT_REFUSED)),
        Body::Review(body) => Some((&body.links, OF_REVIEW)),
        Body::Expired(body) => Some((&body.links, OF_EXPIRED)),
        Body::Delegation(body) => Some((&body.links, OF_DELEGATION)),
        Body::Hold(body) => Some((&body.links, of_hold(body))),
        Body::FlagUpdate(body) => Some((&body.links, OF_FLAG_NEWS)),
        Body::FlagClose(body) => Some((&body.links, OF_FLAG_NEWS)),
        Body::Genesis(_)
        | Body::Intent(_)
        | Body::Revocation(_)
        | Body::Policy(_)
        | Body::Directory(_)
        | Body::Credential(_)
        | Body::Key(_)
        | Body::VaultAccess(_)
        | Body::Erasure(_)
        | Body::Flag(_)
        | Body::SessionOpen(_)
        | Body::SessionClose(_)
        | Body::Throttled(_)
        | Body::Part(_) => None,
    }
}

fn of_hold(body: &Hold) -> &'static [Allowed] {
    match body.change {
        HoldChange::Placed => &[],
        HoldChange::Lifted => OF_HOLD_LIFTED,
    }
}

fn each(links: &Links) -> [(&'static str, Option<EntryId>); 9] {
    // Taken apart by name, so that a new link cannot be forgotten here.
    let Links {
        decision,
        review,
        resolves,
        delegation,
        modifies,
        continues,
        shadows,
        flag,
        hold,
    } = links;
    [
        ("decision", *decision),
        ("review", *review),
        ("resolves", *resolves),
        ("delegation", *delegation),
        ("modifies", *modifies),
        ("continues", *continues),
        ("shadows", *shadows),
        ("flag", *flag),
        ("hold", *hold),
    ]
}
