//! What a new log carries over from the one that it continues.

use std::collections::BTreeMap;

use countersign_core::document::{Bundle, BundleContent, Document as _};
use countersign_core::entry::{AnyEntry, Body, PolicyPhase};
use countersign_core::refs::Sha256;
use countersign_ledger::{Filter, LogReader, Order, Page, limits};

/// The bundle that is in force in a log, as far as its entries can be read: the rows of state beside
/// them may be lost.
pub fn bundle_in_force(log: &LogReader) -> Option<BundleContent> {
    let mut in_force = None;
    let mut wanted = None;
    each(log, "policy", |body| {
        if let Body::Policy(policy) = body {
            match policy.phase {
                PolicyPhase::InForce if in_force.is_none() => in_force = Some(policy.policy_ref),
                PolicyPhase::Stored if in_force == Some(policy.policy_ref) => {
                    wanted = Some(policy.parts.clone());
                }
                PolicyPhase::InForce | PolicyPhase::Stored => {}
            }
        }
        wanted.is_none()
    })?;
    let (policy_ref, wanted) = (in_force?, wanted?);
    let mut parts: BTreeMap<Sha256, Vec<u8>> = BTreeMap::new();
    each(log, "part", |body| {
        if let Body::Part(part) = body {
            let digest = part.bytes.digest();
            if wanted.contains(&digest) {
                parts.insert(digest, part.bytes.as_bytes().to_vec());
            }
        }
        wanted.iter().any(|digest| !parts.contains_key(digest))
    })?;
    let mut bytes = Vec::new();
    for digest in &wanted {
        bytes.extend_from_slice(parts.get(digest)?);
    }
    if Sha256::of(&bytes) != *policy_ref.digest() {
        return None;
    }
    let bundle = Bundle::from_canonical(&bytes).ok()?;
    Some(bundle.content)
}

/// Goes through the entries of a kind, the newest first, as long as `more` says so; `None` if they
/// cannot be read.
fn each(log: &LogReader, kind: &str, mut more: impl FnMut(&Body) -> bool) -> Option<()> {
    let filter = Filter {
        kind: Some(kind.to_owned()),
        ..Filter::default()
    };
    let mut page = Page {
        order: Order::NewestFirst,
        after: None,
        limit: limits::PAGE,
    };
    loop {
        let found = log.query(&filter, &page).ok()?;
        for stored in &found.entries {
            let entry = AnyEntry::from_leaf(&stored.bytes).ok()?;
            if !entry.body().is_none_or(&mut more) {
                return Some(());
            }
        }
        match found.next {
            None => return Some(()),
            next => page.after = next,
        }
    }
}
