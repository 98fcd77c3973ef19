//! Judges the calls of a session in order, each with the turns and results that came before it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::document::{
    Assurance, Author, Call as CallDocument, Document as _, Facts, Intent, PartBy, ResultFormat,
    ToolResult, TurnPart,
};
use countersign_core::ids::{CredentialId, IntentId};
use countersign_core::json::{self, CanonicalJson};
use countersign_core::limits::{TOOL_NAME_BYTES, TURN_CHAIN, TURN_PARTS, TURN_TEXT_BYTES};
use countersign_core::names::{BuiltinReason, NameError, ReasonId};
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;
use countersign_core::verdict::{Outcome, Verdict};
use countersign_judge::{
    ChainTurn, CompiledBundle, ExtractInputs, SeenResult, SessionResults, TurnMentions, extract,
    judge,
};
use countersign_transcripts::{Args, Call, Event, Session, Turn};
use serde_json::Value;

use crate::fixed::{self, NoDirectory};
use crate::needed;
use crate::places::{Provenance, Seen};
use crate::shorten::{self, TURN_SHOWN};

/// The time of the first event of a session that states none: a Wednesday at noon, UTC.
const NOON_MS: i64 = 1_767_787_200_000;
/// How far events that state no time are apart.
const STEP_MS: i64 = 1_000;
/// Most bytes of text results that are read as JSON.
const JSON_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// A session with the file that it stands in.
pub struct Found {
    /// The place of its file in the list of files.
    pub file: usize,
    /// The session.
    pub session: Session,
}

/// One call as it was judged.
pub struct Judged {
    /// The session's place among all.
    pub(super) session: usize,
    /// The call's place among the session's events.
    pub(super) event: usize,
    /// Its number within the session, from 1.
    pub(super) number: usize,
    /// The principal's words of the turn before it, shortened; none if nobody asked.
    pub(super) turn: Option<Arc<str>>,
    pub(super) tool: String,
    pub(super) args: String,
    pub(super) origin: Option<String>,
    pub(super) action: String,
    pub(super) effect: Option<&'static str>,
    pub(super) verdict: Verdict,
    pub(super) provenance: Provenance,
    /// Whether an earlier call of the session was not approved.
    pub(super) is_after: bool,
}

/// How many calls there are in all.
pub fn calls(found: &[Found]) -> usize {
    let events = found.iter().flat_map(|one| &one.session.events);
    events
        .filter(|event| matches!(event, Event::Call(_)))
        .count()
}

/// Judges all sessions, several at a time; the calls of one stay in order. `tick` is called after
/// each call.
pub fn judge_all(
    bundle: &CompiledBundle,
    found: &[Found],
    tick: &(dyn Fn() + Sync),
) -> Vec<Judged> {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers.min(found.len()) {
            scope.spawn(|| {
                while let Some((n, one)) = take(&next, found) {
                    let judged = session(bundle, n, one, tick);
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.extend(judged);
                }
            });
        }
    });
    let mut judged = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    judged.sort_by_key(|one| (one.session, one.event));
    judged
}

fn take<'a>(next: &AtomicUsize, found: &'a [Found]) -> Option<(usize, &'a Found)> {
    let n = next.fetch_add(1, Ordering::Relaxed);
    found.get(n).map(|one| (n, one))
}

/// The session so far.
struct Live<'a> {
    bundle: &'a CompiledBundle,
    name: String,
    turns: Vec<KnownTurn>,
    results: SessionResults,
    now: Timestamp,
}

struct KnownTurn {
    intent_ref: IntentRef,
    intent: Intent,
    mentions: TurnMentions,
    words: Arc<str>,
    event: usize,
}

/// Judges all calls of a session.
fn session(
    bundle: &CompiledBundle,
    number: usize,
    found: &Found,
    tick: &(dyn Fn() + Sync),
) -> Vec<Judged> {
    let mut live = Live {
        bundle,
        name: format!("observed-{number}"),
        turns: Vec::new(),
        results: SessionResults::empty(),
        now: Timestamp::from_millis(NOON_MS),
    };
    let events = &found.session.events;
    let mut judged: Vec<Judged> = Vec::new();
    let mut is_after = false;
    for (event, what) in events.iter().enumerate() {
        match what {
            Event::Turn(turn) => live.turn(event, turn),
            Event::Output(output) => {
                if let Some(Event::Call(call)) = events.get(output.call) {
                    live.result(event, call, &output.value, output.is_error);
                }
            }
            Event::Call(call) => {
                let mut one = live.call(event, call);
                one.session = number;
                one.number = judged.len() + 1;
                one.is_after = is_after;
                is_after |= one.verdict.outcome != Outcome::Approved;
                judged.push(one);
                tick();
            }
        }
    }
    judged
}

impl Live<'_> {
    fn passes(&mut self, stated: Option<Timestamp>) {
        let next = self.now.plus_millis(STEP_MS);
        self.now = stated.unwrap_or(next);
    }

    fn turn(&mut self, event: usize, turn: &Turn) {
        self.passes(turn.at);
        let Ok(intent) = self.intent(event, turn) else {
            return;
        };
        let Ok(intent_ref) = intent.reference() else {
            return;
        };
        self.turns.push(KnownTurn {
            intent_ref,
            mentions: TurnMentions::of(&intent),
            intent,
            words: shorten::text(turn.words().trim(), TURN_SHOWN).into(),
            event,
        });
    }

    fn intent(&self, event: usize, turn: &Turn) -> Result<Intent, NameError> {
        let mut room = TURN_TEXT_BYTES;
        // The principal's words come first where the limit is met: the rest carries no authority.
        let mut parts: Vec<&countersign_transcripts::Part> = turn.parts.iter().collect();
        parts.sort_by_key(|part| part.by != PartBy::Principal);
        let parts = parts.into_iter().take(TURN_PARTS).map(|part| {
            let text = shorten::bytes(&part.text, room);
            room -= text.len();
            TurnPart {
                by: part.by,
                media_type: "text/plain".to_owned(),
                text: text.to_owned(),
                raw_sha256: None,
            }
        });
        Ok(Intent {
            tenant: self.bundle.bundle().tenant.clone(),
            intent_id: IntentId::from_bytes(fixed::entry(event).to_bytes()),
            principal: fixed::PRINCIPAL.parse()?,
            author: Author::Human,
            channel: fixed::CHANNEL.parse()?,
            session: self.name.parse()?,
            actors: vec![fixed::ACTOR.parse()?],
            parts: parts.collect(),
            parent: self.turns.last().map(|turn| turn.intent_ref),
            mandate: None,
            registered_by: CredentialId::from_bytes([0; 16]),
            assurance: Assurance::Separate,
            issued_at: self.now,
            expires_at: Timestamp::MAX,
            salt: fixed::salt(),
        })
    }

    fn result(&mut self, event: usize, call: &Call, value: &Value, is_error: bool) {
        let result = ToolResult {
            tenant: self.bundle.bundle().tenant.clone(),
            decision: fixed::entry(event),
            tool: call.tool.clone(),
            args: match &call.args {
                Args::Json(args) => Some(args.clone()),
                Args::Malformed { .. } => None,
            },
            by_agent: false,
            is_error,
            duration_ms: None,
            result: self.as_reported(&call.tool, value),
            salt: fixed::salt(),
        };
        if let Ok(reference) = result.reference() {
            let seen = SeenResult::new(reference, Arc::new(result), self.bundle);
            self.results = self.results.extended(Arc::new(seen));
        }
    }

    /// Transcripts hold what the model saw, which is text. Where the tool's side would have reported
    /// JSON, a text that is JSON is read as that.
    fn as_reported(&self, tool: &str, value: &Value) -> Value {
        let manifest = self
            .bundle
            .tool(tool)
            .and_then(|tool| tool.manifest().results.as_ref());
        let is_json = manifest.is_none_or(|manifest| manifest.format == ResultFormat::Json);
        match value {
            Value::String(text) if is_json && text.trim_start().starts_with(['{', '[']) => {
                json::parse(text.as_bytes(), JSON_TEXT_BYTES).unwrap_or_else(|_| value.clone())
            }
            value => value.clone(),
        }
    }

    fn call(&mut self, event: usize, call: &Call) -> Judged {
        self.passes(call.at);
        let shown = match &call.args {
            Args::Json(args) => shorten::json(args),
            Args::Malformed { text, .. } => shorten::text(text, shorten::ARGS_SHOWN),
        };
        let mut judged = Judged {
            session: 0,
            event,
            number: 0,
            turn: self.turns.last().map(|turn| turn.words.clone()),
            tool: call.tool.clone(),
            args: shown,
            origin: call.origin.clone(),
            action: String::new(),
            effect: None,
            verdict: Verdict {
                outcome: Outcome::Rejected,
                reasons: [ReasonId::builtin(BuiltinReason::MalformedCall)].into(),
            },
            provenance: Provenance::default(),
            is_after: false,
        };
        let document = match self.document(call) {
            Ok(document) => document,
            Err(reason) => {
                judged.provenance.advice = Some(reason);
                return judged;
            }
        };
        let Some(facts) = self.facts(&document) else {
            return judged;
        };
        judged.action = facts.action.to_string();
        let tool = self.bundle.tool(&call.tool);
        judged.effect = tool.map(|tool| tool.manifest().effect.name());
        judged.verdict = judge(self.bundle, &facts);
        let seen = Seen {
            turns: self
                .turns
                .iter()
                .map(|turn| (turn.intent_ref, turn.event))
                .collect(),
            results: self
                .results
                .results()
                .map(|seen| (seen.result_ref, &*seen.result))
                .collect(),
            newest: self.turns.last().map(|turn| &turn.intent),
        };
        judged.provenance = Provenance::of(&facts, &document, &seen);
        if judged.verdict.outcome != Outcome::Approved {
            needed::explain(
                self.bundle,
                &facts,
                &document,
                &judged.verdict,
                &mut judged.provenance,
            );
        }
        judged
    }

    /// The call as a document, or why it could not be read as a call.
    fn document(&self, call: &Call) -> Result<CallDocument, String> {
        let args = match &call.args {
            Args::Json(args) => args,
            Args::Malformed { reason, .. } => return Err(format!("the arguments: {reason}")),
        };
        if call.tool.is_empty() || call.tool.len() > TOOL_NAME_BYTES {
            return Err(format!("a tool's name has 1 to {TOOL_NAME_BYTES} bytes"));
        }
        let canonical =
            CanonicalJson::of_exact(args).map_err(|error| format!("the arguments: {error}"))?;
        Ok(CallDocument {
            tenant: self.bundle.bundle().tenant.clone(),
            tool: call.tool.clone(),
            args: args.clone(),
            args_sha256: canonical.digest(),
            external_call_id: None,
            wire: None,
            workspace: None,
            definition: None,
            salt: fixed::salt(),
        })
    }

    fn facts(&self, call: &CallDocument) -> Option<Facts> {
        let chain: Vec<ChainTurn<'_>> = self
            .turns
            .iter()
            .rev()
            .take(TURN_CHAIN)
            .map(|turn| ChainTurn {
                intent_ref: turn.intent_ref,
                entry: fixed::entry(turn.event),
                intent: &turn.intent,
                mentions: &turn.mentions,
            })
            .collect();
        extract(&ExtractInputs {
            tenant: &self.bundle.bundle().tenant,
            salt: fixed::salt(),
            now: self.now,
            actor: &fixed::ACTOR.parse().ok()?,
            bundle: self.bundle,
            call,
            call_ref: call.reference().ok()?,
            claimed_intent: chain.first().map(|turn| turn.intent_ref),
            chain: &chain,
            results: &self.results,
            directory: &NoDirectory,
            directory_revision: None,
            credential: CredentialId::from_bytes([0; 16]),
            review: None,
            counters: &[],
            history: None,
        })
        .ok()
    }
}
