//! Who opens more sealed records than ever.

use countersign_core::entry::{Detector, VaultAccess};

use super::{Policy, bare};
use crate::cases::Cases;
use crate::past::{Past, Reader};
use crate::seen::{Before, Place, Seen, Terms, WHOLE};
use crate::subject::{Of, Subject};

/// Sealed records were opened, if it was not only asked for or agreed to.
pub(crate) fn opened(
    place: Place,
    body: &VaultAccess,
    policy: &Policy,
    past: &mut Past,
    cases: &mut Cases,
) {
    let watch = &policy.settings.reading_around;
    let detector = Detector::ReadingAround;
    let is_off = watch.records == 0 || policy.mutes(detector, None, place.at);
    if body.phase.is_some() || is_off {
        return;
    }
    let records = u32::try_from(body.refs.len()).unwrap_or(u32::MAX);
    let terms = policy.terms(watch.records, watch.window_s);
    let reader = past.readers.entry(&body.credential, Reader::default);
    let usual = reader.open(place.at, terms.window_ms(), records);
    let terms = Terms {
        threshold: terms
            .threshold
            .max(u32::try_from(usual).unwrap_or(u32::MAX)),
        ..terms
    };
    let seen = Seen {
        weight: records.saturating_mul(WHOLE),
        ..bare(place, Before::default())
    };
    let of = Of::Reader(body.credential);
    cases.count(Subject { detector, of }, &seen, terms, None);
}
