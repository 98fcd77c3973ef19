//! How sealed records are opened by two people, held and released, and how they expire: under a
//! bundle that says so.

use super::*;

const SECOND_READER: usize = 9;

/// What follows the story under a bundle that needs two people for an opening and keeps calls for
/// 30 days.
pub fn vault(story: &mut Story) {
    let content = bundle("careful").canonical().unwrap().into_bytes();
    for part in split(&content) {
        story.push("careful part", part);
    }
    story.push("careful stored", stored("careful", Some(AUTHOR)));
    story.push(
        "careful in force",
        in_force("careful", Some("second"), Some(AUTHOR)),
    );
    let second = Credential {
        credential: Some(credential(ADMIN)),
        ..granted(SECOND_READER, Role::VaultReader)
    };
    story.push("second reader", second);
    let asked = VaultAccess {
        refs: vec![Sha256::of(b"a record")],
        purpose_ref: story.state("incident 18"),
        credential: credential(READER),
        phase: Some(AccessPhase::Requested),
        request: None,
    };
    story.push("opening asked for", asked.clone());
    let request = Some(story.id("opening asked for"));
    let confirmed = VaultAccess {
        credential: credential(SECOND_READER),
        phase: Some(AccessPhase::Confirmed),
        request,
        ..asked.clone()
    };
    story.push("opening confirmed", confirmed);
    let opened = VaultAccess {
        phase: None,
        request,
        ..asked
    };
    story.push("opened by two", opened);
    let lifted = Hold {
        change: HoldChange::Lifted,
        links: link(|links| links.hold = Some(story.id("hold"))),
        refs: vec![Sha256::of(b"a record")],
        authority_ref: story.state("the case is closed"),
        credential: credential(ADMIN),
    };
    story.push("hold lifted", lifted);
    let expired = Erasure {
        phase: ErasurePhase::Requested,
        refs: vec![Sha256::of(b"a record")],
        authority_ref: story.state("retention"),
        credential: None,
        epoch: None,
    };
    story.push("expired record", expired.clone());
    let complete = Erasure {
        phase: ErasurePhase::Complete,
        epoch: Some(1),
        ..expired
    };
    story.push("destroyed for good", complete);
}
