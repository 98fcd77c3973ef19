//! The first start: a data directory, its keys, and a credential per role.

use countersign_core::document::BundleContent;
use countersign_core::names::TenantId;
use countersign_host::{Beginning, DataDir, Host};
use countersign_service::FirstCredential;
use countersign_wire::NewCredential;

use super::reviewer::FirstReviewer;
use super::settings::FirstStart;
use crate::bundles;
use crate::commands::turn::LOCAL_ACTOR;
use crate::error::CliError;

/// A name, the roles of its credential, and whether it speaks for actors. What a vault-reader may
/// open is named by entries, so it reads those, too.
const CREDENTIALS: &[(&str, &[&str], bool)] = &[
    ("ingress", &["ingress"], true),
    ("agent", &["agent"], true),
    // What comes in through `countersign mcp` says so.
    ("relay", &["agent"], true),
    ("tool", &["tool"], false),
    ("reviewer", &["reviewer"], false),
    ("author", &["author"], false),
    ("auditor", &["auditor"], false),
    ("vault-reader", &["vault-reader", "auditor"], false),
    ("admin", &["admin"], false),
];

/// Begins a log.
pub(super) fn begin(
    data: &DataDir,
    first: &FirstStart,
    reviewer: &FirstReviewer,
) -> Result<(Host, Vec<FirstCredential>), CliError> {
    let bundle = bundles::check(first.bundle())?.0;
    let public_name = first.public_name.clone();
    Ok(data.begin(beginning(first.tenant()?, public_name, bundle, reviewer))?)
}

/// What a new log begins with.
pub(super) fn beginning(
    tenant: TenantId,
    public_name: Option<String>,
    bundle: BundleContent,
    reviewer: &FirstReviewer,
) -> Beginning {
    Beginning {
        tenant,
        public_name,
        bundle,
        credentials: CREDENTIALS
            .iter()
            .map(|(name, roles, speaks)| credential(name, roles, *speaks, reviewer))
            .collect(),
    }
}

fn credential(name: &str, roles: &[&str], speaks: bool, reviewer: &FirstReviewer) -> NewCredential {
    let actors: Vec<String> = match speaks {
        true => vec![LOCAL_ACTOR.to_owned(), format!("{LOCAL_ACTOR}/")],
        false => Vec::new(),
    };
    NewCredential {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        name: Some(name.to_owned()),
        actors,
        // The profile puts its token beside the agent's, for the same user of the same machine.
        assurance: (name == "ingress").then(|| "same-uid".to_owned()),
        surface: (name == "relay").then(|| "relay".to_owned()),
        public_key: (name == "reviewer").then(|| reviewer.public_key()),
        principal: FirstReviewer::principal().filter(|_| name == "reviewer"),
        ..NewCredential::default()
    }
}
