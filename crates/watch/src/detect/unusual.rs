//! What an actor never did before, and what calls for many people come upon at once.

use std::collections::BTreeSet;

use countersign_core::entry::Detector;
use countersign_core::pseudonym::Pseudonym;

use super::Call;
use crate::cases::Cases;
use crate::limits;
use crate::past::{Named, Past, Profile};
use crate::seen::{Fate, Seen, Terms};
use crate::subject::{Of, Subject};

/// How many times as many people it takes where calls were not stopped.
const IF_PASSED: usize = 4;

/// The targets that no call has named yet.
pub(crate) fn unnamed(call: &Call<'_>, past: &Past) -> Vec<Pseudonym> {
    let targets = call.decision.targets.iter();
    let unnamed = targets.filter(|target| past.targets.get(*target).is_none());
    unnamed.copied().collect()
}

/// Targets that the actor never reached for, though it long reached for nothing new.
pub(crate) fn novel_target(
    call: &Call<'_>,
    unnamed: &[Pseudonym],
    past: &mut Past,
    cases: &mut Cases,
) {
    let settings = call.settings();
    let actor = &call.decision.actor;
    let profile = past.actors.entry(actor, Profile::default);
    let targets = call.decision.targets.as_slice();
    let found = profile.reach(call.seen.at, (targets, unnamed), &settings.baseline);
    let Some((target, stands_out)) = found.filter(|_| !call.is_muted(Detector::NovelTarget)) else {
        return;
    };
    let watch = &settings.novel_target;
    let terms = call.policy.terms(watch.calls, watch.window_s);
    let subject = Subject::actor(Detector::NovelTarget, actor);
    let seen = Seen {
        target: Some(target),
        ..call.seen.clone()
    };
    if cases.is_running(&subject) {
        cases.go_on(&subject, &seen);
    } else if stands_out && !cases.is_busy(actor, call.decision.intent_ref) {
        cases.count(subject, &seen, terms, None);
    }
}

/// Calls at an hour at which the actor was never at work.
pub(crate) fn off_hours(call: &Call<'_>, past: &mut Past, cases: &mut Cases) {
    let settings = call.settings();
    let actor = &call.decision.actor;
    let profile = past.actors.entry(actor, Profile::default);
    let is_off = profile.is_off_hours(call.seen.at, &settings.baseline);
    if !is_off || call.is_muted(Detector::OffHours) {
        return;
    }
    let watch = &settings.off_hours;
    let terms = call.policy.terms(watch.calls, watch.window_s);
    let subject = Subject::actor(Detector::OffHours, actor);
    if cases.is_running(&subject) {
        cases.go_on(&subject, &call.seen);
    } else if !cases.is_busy(actor, call.decision.intent_ref) {
        cases.count(subject, &call.seen, terms, None);
    }
}

/// Calls for many people that name one new target.
pub(crate) fn spread(call: &Call<'_>, past: &mut Past, cases: &mut Cases) {
    let watch = &call.settings().spread;
    let terms = call.policy.terms(watch.principals, watch.window_s);
    let is_off = watch.principals == 0 || call.is_muted(Detector::Spread);
    let has_past = past.days(call.seen.at) >= i64::from(call.settings().baseline.past_days);
    for target in &call.decision.targets {
        let at = call.seen.at;
        let named = past.targets.entry(target, || Named {
            since: at,
            chain: Vec::new(),
        });
        let subject = Subject {
            detector: Detector::Spread,
            of: Of::Target(*target),
        };
        if is_off || call.seen.whose.is_none() {
            continue;
        }
        let seen = Seen {
            target: Some(*target),
            ..call.seen.clone()
        };
        if cases.go_on(&subject, &seen) {
            continue;
        }
        if let Some(chain) = add(named, seen, &terms, has_past) {
            cases.begin(subject, terms, &chain);
        }
    }
}

/// Adds a call that names the target, if it says more than those before; gives all of them when
/// there are enough.
fn add(named: &mut Named, seen: Seen, terms: &Terms, has_past: bool) -> Option<Vec<Seen>> {
    if terms.deadline(named.since) < seen.at {
        named.chain = Vec::new();
        return None;
    }
    let is_full = named.chain.len() >= limits::PASSED_OF_TARGET;
    if is_full && !has_past && seen.fate != Fate::Stopped {
        return None;
    }
    let mut theirs = named.chain.iter().filter(|of| of.whose == seen.whose);
    let says_more = match seen.fate {
        Fate::Stopped => theirs.all(|of| of.fate != Fate::Stopped),
        _ => theirs.next().is_none(),
    };
    if !says_more {
        return None;
    }
    named.chain.push(seen);
    let chain = named.chain.iter();
    let stopped = chain.clone().filter(|of| of.fate == Fate::Stopped).count();
    let people: BTreeSet<_> = chain.map(|of| of.whose).collect();
    let most = usize::try_from(limits::SPREAD_PRINCIPALS).unwrap_or(usize::MAX);
    let threshold = usize::try_from(terms.threshold)
        .unwrap_or(usize::MAX)
        .min(most);
    let if_passed = threshold.saturating_mul(IF_PASSED).min(most);
    let is_reached = stopped >= threshold || (has_past && people.len() >= if_passed);
    is_reached.then(|| std::mem::take(&mut named.chain))
}

#[cfg(test)]
mod tests {
    use countersign_core::ids::EntryId;
    use countersign_core::refs::Sha256;
    use countersign_core::time::Timestamp;

    use super::*;
    use crate::detect::bare;
    use crate::past::Named;
    use crate::seen::{Before, Place};

    #[test]
    fn what_is_kept_of_a_target_that_everybody_names_has_an_end() {
        let at = Timestamp::from_millis(1_800_000_000_000);
        let entry: EntryId = "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap();
        let seen = |index: u64, fate| Seen {
            whose: Some(Pseudonym::of_public("principal", &index.to_string())),
            fate,
            ..bare(Place { index, at, entry }, Before::default())
        };
        let terms = Terms {
            policy_ref: Sha256::of(b"policy").into(),
            threshold: 5,
            window_s: 600,
        };
        let mut named = Named {
            since: at,
            chain: Vec::new(),
        };
        for n in 0..1_000 {
            assert!(add(&mut named, seen(n, Fate::Passed), &terms, false).is_none());
        }
        assert_eq!(named.chain.len(), limits::PASSED_OF_TARGET);
        // The first ones stay: that is where it began; and who is stopped still counts.
        assert_eq!(named.chain[0].place.index, 0);
        let mut with_past = named.clone();
        assert!(add(&mut with_past, seen(2_000, Fate::Passed), &terms, true).is_some());
        for n in 0..4 {
            assert!(add(&mut named, seen(3_000 + n, Fate::Stopped), &terms, false).is_none());
        }
        let chain = add(&mut named, seen(3_004, Fate::Stopped), &terms, false).unwrap();
        assert_eq!(chain.len(), limits::PASSED_OF_TARGET + 5);
    }
}
