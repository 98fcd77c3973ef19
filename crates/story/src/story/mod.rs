//! A small log that holds every kind of entry, each with what it needs before it.

mod alerts;
mod bundles;
mod calls;
mod endings;
mod flags;
mod keys;
mod people;
mod records;
mod vault;

pub use bundles::bundle;
pub use flags::flags;
pub use keys::{genesis, key_entry, signed};
pub use vault::vault;

use crate::log::{Key as TestKey, ORIGIN};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::document::{
    Assurance, Author, Bundle, BundleContent, Call, CedarRequest, Changeset, CounterDeclaration,
    CounterFact, CounterKey, CounterKind, Document, Facts, Inputs, IntentInput, PartBy, PolicyFile,
    PublishingSettings, Reasoning, RetentionSettings, ReviewBy, ReviewFact, Salt, Settings, Source,
    Statement, TargetFact, ToolResult, TurnPart, VaultSettings,
};
use countersign_core::document::{DirectoryChange, EntityUid, Intent as IntentDocument};
use countersign_core::entry::*;
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::json::CanonicalJson;
use countersign_core::names::{ActionName, ActorName, ReasonId};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::random::Random;
use countersign_core::refs::*;
use countersign_core::signed::entry_message;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use serde_json::{Map, json};
use std::collections::BTreeMap;

use alerts::alerts;
use bundles::{in_force, of_bundle, stored};
use calls::{counted, decided, facts, registered, turn, turns_and_calls, unmandated};
use endings::endings;
use keys::granted;
use people::people;
use records::records;

/// Parses a name, id, time or key.
pub fn x<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

/// Unpadded base64url.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

struct Fill(u8);

impl Random for Fill {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

/// The n-th pseudonym.
pub fn stands_for(n: u8) -> Pseudonym {
    Pseudonym::fresh(&Fill(n))
}

fn salt(n: u8) -> Salt {
    Salt::fresh(&Fill(n))
}

/// The id of the n-th entry.
pub fn entry_id(n: usize) -> EntryId {
    x(&format!("01HYB7K3M4FXQZ9V2N6PT{n:05}"))
}

/// The id of the n-th credential.
pub fn credential(n: usize) -> CredentialId {
    x(&format!("01HYA00000000000000000{n:04}"))
}

const ADMIN: usize = 1;

const AUTHOR: usize = 2;

const INGRESS: usize = 3;

const AGENT: usize = 4;

const TOOL: usize = 5;

const REVIEWER: usize = 6;

const READER: usize = 7;

const SECOND_AUTHOR: usize = 8;

const START: i64 = 1_776_478_424_000;

const PRINCIPAL: u8 = 1;

const SESSION: u8 = 2;

const TARGET: u8 = 3;

const OTHER_PERSON: u8 = 14;

/// A log that is being written, its entries by name, and the documents that they name.
#[derive(Clone)]
pub struct Story {
    /// The entries, each with the name by which tests find it.
    pub entries: Vec<(&'static str, Entry)>,
    /// The documents that the entries name, by their refs.
    pub documents: BTreeMap<Sha256, Vec<u8>>,
}

impl Story {
    /// The entries' leaves.
    pub fn leaves(&self) -> Vec<Vec<u8>> {
        let entries = self.entries.iter();
        entries
            .map(|(name, entry)| match entry.to_leaf() {
                Ok(leaf) => leaf.into_bytes(),
                Err(error) => panic!("{name}: {error}"),
            })
            .collect()
    }

    /// The leaf index of the entry of this name.
    pub fn position(&self, name: &str) -> usize {
        let position = self.entries.iter().position(|(n, _)| *n == name);
        position.unwrap_or_else(|| panic!("no entry `{name}`"))
    }

    /// The entry of this name.
    pub fn entry(&mut self, name: &str) -> &mut Entry {
        let position = self.position(name);
        &mut self.entries[position].1
    }

    /// The id of the entry of this name.
    pub fn id(&self, name: &str) -> EntryId {
        self.entries[self.position(name)].1.entry_id
    }

    /// Ten milliseconds for every entry.
    fn push(&mut self, name: &'static str, body: impl Into<Body>) {
        let n = self.entries.len();
        let entry = Entry {
            entry_id: entry_id(n),
            timestamp: Timestamp::from_millis(START + 10 * n as i64),
            body: body.into(),
        };
        self.entries.push((name, entry));
    }

    fn keep<D: Document>(&mut self, document: &D) -> D::Ref {
        let reference = document.reference().unwrap();
        let bytes = document.canonical().unwrap().into_bytes();
        self.documents.insert(reference.into(), bytes);
        reference
    }

    fn state(&mut self, text: &str) -> StatementRef {
        self.keep(&Statement {
            tenant: x("acme"),
            text: text.into(),
            salt: salt(9),
        })
    }
}

/// The whole story.
pub fn story() -> Story {
    let mut story = beginning();
    turns_and_calls(&mut story);
    alerts(&mut story);
    people(&mut story);
    records(&mut story);
    endings(&mut story);
    story
}

/// The whole story, and what follows it: openings by two people, records that are held and expire,
/// flags of every detector. What the mutation table changes.
pub fn whole() -> Story {
    let mut story = story();
    vault(&mut story);
    flags(&mut story);
    story
}

/// How a log is made: genesis, credentials, a bundle in force.
pub fn beginning() -> Story {
    let mut story = Story {
        entries: Vec::new(),
        documents: BTreeMap::new(),
    };
    story.push("genesis", genesis(TestKey::root()));
    for (name, n, role) in [
        ("admin", ADMIN, Role::Admin),
        ("author", AUTHOR, Role::Author),
        ("ingress", INGRESS, Role::Ingress),
        ("agent", AGENT, Role::Agent),
        ("tool", TOOL, Role::Tool),
        ("reviewer", REVIEWER, Role::Reviewer),
        ("reader", READER, Role::VaultReader),
        ("second author", SECOND_AUTHOR, Role::Author),
    ] {
        story.push(name, granted(n, role));
    }
    let bundle = bundle("first").canonical().unwrap().into_bytes();
    for part in split(&bundle) {
        story.push("part", part);
    }
    story.push("stored", stored("first", None));
    story.push("in force", in_force("first", None, None));
    story
}

fn link(set: impl FnOnce(&mut Links)) -> Links {
    let mut links = Links::default();
    set(&mut links);
    links
}
