//! Sealed records: openings, holds, erasures.

use super::*;

pub(super) fn records(story: &mut Story) {
    let changeset_ref = story.keep(&Changeset {
        tenant: x("acme"),
        changes: vec![DirectoryChange {
            entity: EntityUid {
                kind: "Contact".into(),
                id: "billing@customer.example".into(),
            },
            attributes: None,
        }],
        salt: salt(7),
    });
    story.push(
        "directory",
        Directory {
            changeset_ref,
            changes: 1,
            credential: credential(AUTHOR),
        },
    );
    let purpose_ref = story.state("incident 17");
    let authority_ref = story.state("request of the person");
    let refs = vec![Sha256::of(b"a record")];
    story.push(
        "vault-access",
        VaultAccess {
            refs: refs.clone(),
            purpose_ref,
            credential: credential(READER),
            phase: None,
            request: None,
        },
    );
    story.push(
        "hold",
        Hold {
            change: HoldChange::Placed,
            links: Links::default(),
            refs: refs.clone(),
            authority_ref,
            credential: credential(ADMIN),
        },
    );
    story.push(
        "erasure",
        Erasure {
            phase: ErasurePhase::Requested,
            refs: vec![Sha256::of(b"facts of the helper")],
            authority_ref,
            credential: Some(credential(ADMIN)),
            epoch: None,
        },
    );
}
