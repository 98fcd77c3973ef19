//! From what a case states to facts, as the service draws them.

use std::collections::BTreeMap;

use countersign_core::document::{Call, Document as _, EntityUid, Facts, Intent, Salt, ToolResult};
use countersign_core::ids::{CredentialId, EntryId, IntentId};
use countersign_core::json::CanonicalJson;
use countersign_core::names::{ActorName, NameError};
use countersign_core::random::Random;
use countersign_core::time::Timestamp;
use serde_json::Value;

use super::before;
use super::members::{Members, Returned, Said};
use crate::bundle::CompiledBundle;
use crate::extract::{ChainTurn, Directory, DirectoryError, ExtractInputs, extract};
use crate::mention::TurnMentions;
use crate::result::SessionResults;

/// The time of a call whose case states none: a Wednesday at noon, UTC.
const NOW_MS: i64 = 1_767_787_200_000;
/// How long before the call its turn was registered; each earlier turn is as much older.
const TURN_AGE_MS: i64 = 60_000;
/// How long a turn counts.
const TURN_LASTS_MS: i64 = 3_600_000;
/// The actor of a call whose case states none.
const ACTOR: &str = "agent:test";
/// The principal of a turn that states none.
const PRINCIPAL: &str = "user:test";
/// The channel of a turn that states none.
const CHANNEL: &str = "test";
/// The session of all turns.
const SESSION: &str = "test";

/// Salts and ids that are the same in every run: nobody guesses at a test.
struct Fixed;

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

fn salt() -> Salt {
    Salt::fresh(&Fixed)
}

const ENTRY: EntryId = EntryId::from_bytes([0; 16]);
const CREDENTIAL: CredentialId = CredentialId::from_bytes([0; 16]);

/// The call of a case, and the facts about it. The error is for people.
pub(super) fn play(bundle: &CompiledBundle, members: &Members) -> Result<(Call, Facts), String> {
    let text = |error: NameError| error.to_string();
    let now = members.now.unwrap_or(Timestamp::from_millis(NOW_MS));
    let actor = match &members.actor {
        Some(actor) => actor.clone(),
        None => ACTOR.parse().map_err(text)?,
    };
    let call = call(bundle, members)?;
    let intents = intents(bundle, members, &actor, now).map_err(text)?;
    let mentions: Vec<TurnMentions> = intents.iter().map(TurnMentions::of).collect();
    let mut chain = Vec::with_capacity(intents.len());
    for (intent, mentions) in intents.iter().zip(&mentions) {
        chain.push(ChainTurn {
            intent_ref: intent.reference().map_err(|error| error.to_string())?,
            entry: ENTRY,
            intent,
            mentions,
        });
    }
    let mut results = Vec::new();
    for result in members.results.iter().flatten() {
        let result = returned(bundle, result);
        results.push((
            result.reference().map_err(|error| error.to_string())?,
            result,
        ));
    }
    let results = SessionResults::of(results, bundle);
    let facts = extract(&ExtractInputs {
        tenant: &bundle.bundle().tenant,
        salt: salt(),
        now,
        actor: &actor,
        bundle,
        call: &call,
        call_ref: call.reference().map_err(|error| error.to_string())?,
        claimed_intent: chain.first().map(|turn| turn.intent_ref),
        chain: &chain,
        results: &results,
        directory: &Entities::of(bundle, members),
        directory_revision: None,
        credential: CREDENTIAL,
        review: None,
        counters: &[],
        history: None,
    })
    .map_err(|DirectoryError(error)| error)?;
    Ok((call, before::settle(bundle, members, facts)))
}

fn call(bundle: &CompiledBundle, members: &Members) -> Result<Call, String> {
    let args = Value::Object(members.args.clone());
    let canonical = CanonicalJson::of(&args).map_err(|error| format!("the arguments: {error}"))?;
    Ok(Call {
        tenant: bundle.bundle().tenant.clone(),
        tool: members.tool.clone().unwrap_or_default(),
        args_sha256: canonical.digest(),
        args,
        external_call_id: None,
        wire: None,
        workspace: members.workspace.clone(),
        definition: None,
        salt: salt(),
    })
}

/// The turns, the newest first; none if the case's call names none.
fn intents(
    bundle: &CompiledBundle,
    members: &Members,
    actor: &ActorName,
    now: Timestamp,
) -> Result<Vec<Intent>, NameError> {
    let Some(Some(newest)) = &members.turn else {
        return Ok(Vec::new());
    };
    let earlier = members.earlier.iter().flatten().rev();
    let turns = std::iter::once(newest).chain(earlier);
    let turns = (1..).zip(turns);
    turns
        .map(|(n, said)| intent(bundle, said, actor, now, n))
        .collect()
}

fn intent(
    bundle: &CompiledBundle,
    said: &Said,
    actor: &ActorName,
    now: Timestamp,
    n: u8,
) -> Result<Intent, NameError> {
    let issued_at = now.plus_millis(-TURN_AGE_MS * i64::from(n));
    let mut id = [0; 16];
    if let Some(last) = id.last_mut() {
        *last = n;
    }
    Ok(Intent {
        tenant: bundle.bundle().tenant.clone(),
        intent_id: IntentId::from_bytes(id),
        principal: match &said.principal {
            Some(principal) => principal.clone(),
            None => PRINCIPAL.parse()?,
        },
        author: said.author,
        channel: match &said.channel {
            Some(channel) => channel.clone(),
            None => CHANNEL.parse()?,
        },
        session: SESSION.parse()?,
        actors: vec![actor.clone()],
        parts: said.parts.clone(),
        parent: None,
        mandate: None,
        registered_by: CREDENTIAL,
        assurance: said.assurance,
        issued_at,
        expires_at: issued_at.plus_millis(TURN_LASTS_MS),
        salt: salt(),
    })
}

fn returned(bundle: &CompiledBundle, returned: &Returned) -> ToolResult {
    ToolResult {
        tenant: bundle.bundle().tenant.clone(),
        decision: ENTRY,
        tool: returned.tool.clone(),
        args: returned.args.clone(),
        by_agent: returned.by_agent,
        is_error: returned.is_error,
        duration_ms: None,
        result: returned.result.clone(),
        salt: salt(),
    }
}

/// The directory of a case.
struct Entities(BTreeMap<EntityUid, BTreeMap<String, Value>>);

impl Entities {
    /// Under the ids by which a directory keeps them.
    fn of(bundle: &CompiledBundle, members: &Members) -> Self {
        let entities = members.directory.iter().filter_map(|(uid, entity)| {
            let uid = EntityUid {
                id: bundle.directory_id(&uid.kind, &uid.id)?,
                kind: uid.kind.clone(),
            };
            Some((uid, entity.attributes.clone()))
        });
        Self(entities.collect())
    }
}

impl Directory for Entities {
    fn entity(&self, uid: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError> {
        Ok(self.0.get(uid).cloned())
    }
}
