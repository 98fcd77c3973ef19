//! A server that does with drafts what the real one does: commits them and shows them to the watch.

use std::collections::VecDeque;

use countersign_core::document::{
    Assurance, Author, Bundle, BundleContent, Settings, WatchSettings,
};
use countersign_core::entry::{
    AnyEntry, Body, Decision, Detector, Entry, Execution, ExecutionPhase, Flag, FlagChange,
    FlagClose, FlagUpdate, Intent, Links, Mode, PermitRefusal, PermitRefused, Policy, PolicyPhase,
    Severity, Surface, VaultAccess,
};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::{ActorName, BuiltinReason, ReasonId};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::random::Random;
use countersign_core::refs::{IntentRef, PolicyRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_watch::{FlagDraft, Watch};

/// The time of the first entry.
pub(crate) const T0: i64 = 1_800_000_000_000;

pub(crate) fn actor(name: &str) -> ActorName {
    format!("agent:{name}").parse().unwrap()
}

pub(crate) fn intent(n: u8) -> IntentRef {
    Sha256::of(&[n]).into()
}

pub(crate) fn policy() -> PolicyRef {
    Sha256::of(b"policy").into()
}

pub(crate) fn settings(burst: u32, window_s: u32, unmandated: u32) -> WatchSettings {
    WatchSettings {
        burst_rejections: burst,
        burst_window_s: window_s,
        unmandated_calls: unmandated,
        unmandated_window_s: window_s,
        ..quiet()
    }
}

/// A bundle of these settings and nothing else.
pub(crate) fn bundle(watch: WatchSettings) -> Bundle {
    Bundle {
        tenant: "acme".parse().unwrap(),
        content: BundleContent {
            name: "watched".to_owned(),
            description: String::new(),
            policies: Vec::new(),
            schema: String::new(),
            tools: Vec::new(),
            counters: Vec::new(),
            acknowledged: Vec::new(),
            settings: Settings {
                watch,
                ..Settings::default()
            },
        },
    }
}

/// All detectors off that can be.
pub(crate) fn quiet() -> WatchSettings {
    let mut settings = WatchSettings {
        burst_rejections: 0,
        unmandated_calls: 0,
        ..WatchSettings::default()
    };
    settings.retry.attempts = 0;
    settings.novel_target.calls = 0;
    settings.off_hours.calls = 0;
    settings.spread.principals = 0;
    settings.missing_execution.calls = 0;
    settings.unapproved_execution.refusals = 0;
    settings.reading_around.records = 0;
    settings.loosened.calls = 0;
    settings
}

pub(crate) fn known(entry: &AnyEntry) -> &Entry {
    match entry {
        AnyEntry::Known(entry) => entry,
        AnyEntry::Unknown(_) => panic!("all entries here are known"),
    }
}

/// Ids that count upwards from a start.
struct Ids(u64);

impl Random for Ids {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        // The first bytes of an id are its time.
        for (to, from) in bytes.iter_mut().rev().zip(self.0.to_le_bytes()) {
            *to = from;
        }
    }
}

pub(crate) fn id(n: u64) -> EntryId {
    EntryId::fresh(Timestamp::from_millis(T0), &Ids(n))
}

/// Ids of flags are far from those of decisions, which must not depend on when flags are written.
const FLAG_IDS: u64 = 1 << 40;

pub(crate) struct Server {
    settings: WatchSettings,
    watch: Watch,
    log: Vec<AnyEntry>,
    pending: VecDeque<FlagDraft>,
    now: Timestamp,
    decisions: u64,
    flags: u64,
    holds: bool,
    in_force: PolicyRef,
}

/// A call: of `agent:a` under the first intent, approved, unless it says otherwise.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) of: Option<u8>,
    pub(crate) outcome: Outcome,
    pub(crate) action: &'static str,
    pub(crate) targets: Vec<u32>,
    pub(crate) session: Option<u32>,
    pub(crate) after_s: i64,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            name: "a",
            of: Some(1),
            outcome: Outcome::Approved,
            action: "email.send",
            targets: Vec::new(),
            session: None,
            after_s: 1,
        }
    }
}

pub(crate) fn pseudonym(kind: &str, n: u32) -> Pseudonym {
    Pseudonym::of_public(kind, &n.to_string())
}

pub(crate) fn credential(n: u64) -> CredentialId {
    CredentialId::fresh(Timestamp::from_millis(T0), &Ids(n))
}

impl Server {
    pub(crate) fn new(settings: WatchSettings) -> Self {
        let mut watch = Watch::new();
        watch.set_policy(policy(), settings.clone());
        Self {
            settings,
            watch,
            log: Vec::new(),
            pending: VecDeque::new(),
            now: Timestamp::from_millis(T0),
            decisions: 0,
            flags: 0,
            holds: false,
            in_force: policy(),
        }
    }

    /// A rejection `after_s` seconds later.
    pub(crate) fn rejected(&mut self, name: &str, of: Option<u8>, after_s: i64) -> EntryId {
        self.decide(name, of, Outcome::Rejected, Mode::Enforced, after_s)
    }

    pub(crate) fn decide(
        &mut self,
        name: &str,
        of: Option<u8>,
        outcome: Outcome,
        mode: Mode,
        after_s: i64,
    ) -> EntryId {
        let at = self.now.as_millis() + after_s * 1000;
        self.decide_at(at, name, of, outcome, mode)
    }

    pub(crate) fn decide_at(
        &mut self,
        at: i64,
        name: &str,
        of: Option<u8>,
        outcome: Outcome,
        mode: Mode,
    ) -> EntryId {
        self.now = self.now.max(Timestamp::from_millis(at));
        self.decisions += 1;
        let id = id(self.decisions);
        let decision = decision(name, of.map(intent), outcome, mode);
        self.append(id, decision.into());
        id
    }

    /// A call of a tool that its server lists otherwise than it was confirmed.
    pub(crate) fn changed(&mut self, name: &str, of: Option<u8>, after_s: i64) -> EntryId {
        self.now = self.now.plus_millis(after_s * 1000);
        self.decisions += 1;
        let id = id(self.decisions);
        let mut decision = decision(name, of.map(intent), Outcome::Rejected, Mode::Enforced);
        decision.reasons = vec![ReasonId::builtin(BuiltinReason::ToolChanged)];
        self.append(id, decision.into());
        id
    }

    /// A call that says more than the ones above.
    pub(crate) fn call(&mut self, call: Call) -> EntryId {
        self.now = self.now.plus_millis(call.after_s * 1000);
        self.decisions += 1;
        let id = id(self.decisions);
        let of = call.of.map(intent);
        let mut body = decision(call.name, of, call.outcome, Mode::Enforced);
        body.action = call.action.parse().unwrap();
        body.targets = call
            .targets
            .iter()
            .map(|n| pseudonym("target", *n))
            .collect();
        body.session = call.session.map(|n| pseudonym("session", n));
        body.policy_ref = self.in_force;
        body.reasons = vec!["no-such-mail".parse().unwrap()];
        self.append(id, body.into());
        id
    }

    /// Another entry, right after the last one.
    pub(crate) fn push(&mut self, body: impl Into<Body>) -> EntryId {
        self.decisions += 1;
        let id = id(self.decisions);
        self.append(id, body.into());
        id
    }

    pub(crate) fn wait(&mut self, after_s: i64) {
        self.now = self.now.plus_millis(after_s * 1000);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// A result of a call came in.
    pub(crate) fn ran(&mut self, decision: EntryId, session: Option<u32>) -> EntryId {
        self.push(Execution {
            phase: ExecutionPhase::Finished,
            links: Links {
                decision: Some(decision),
                ..Links::default()
            },
            intent_ref: None,
            session: session.map(|n| pseudonym("session", n)),
            result_ref: Some(Sha256::of(b"result").into()),
            is_error: Some(false),
            credential: credential(1),
            permit: None,
        })
    }

    pub(crate) fn turn(&mut self, session: u32, n: u8) -> IntentRef {
        self.push(Intent {
            intent_ref: intent(n),
            author: Author::Human,
            channel: "mail".parse().unwrap(),
            principal: pseudonym("principal", session),
            session: pseudonym("session", session),
            actors: Vec::new(),
            parent: None,
            mandate: None,
            expires_at: Timestamp::MAX,
            assurance: Assurance::Separate,
            credential: credential(1),
            signature: None,
            key_id: None,
        });
        intent(n)
    }

    pub(crate) fn refused(&mut self, reason: PermitRefusal, decision: Option<EntryId>) -> EntryId {
        self.push(PermitRefused {
            permit: None,
            reason,
            links: Links {
                decision,
                ..Links::default()
            },
            credential: credential(1),
        })
    }

    pub(crate) fn opened(&mut self, reader: u64, records: usize, after_s: i64) -> EntryId {
        self.wait(after_s);
        self.push(VaultAccess {
            refs: vec![Sha256::of(b"record"); records],
            purpose_ref: Sha256::of(b"purpose").into(),
            credential: credential(reader),
            phase: None,
            request: None,
        })
    }

    /// Another bundle with the same settings comes into force.
    pub(crate) fn in_force(&mut self, policy_ref: PolicyRef) -> EntryId {
        let previous = std::mem::replace(&mut self.in_force, policy_ref);
        let settings = self.settings.clone();
        self.watch.set_policy(policy_ref, settings);
        self.push(Policy {
            policy_ref,
            phase: PolicyPhase::InForce,
            parts: Vec::new(),
            previous: Some(previous),
            credential: Some(credential(1)),
        })
    }

    pub(crate) fn tick(&mut self, after_ms: i64) {
        self.now = self.now.plus_millis(after_ms);
        let drafts = self.watch.tick(self.now);
        self.take(drafts);
    }

    pub(crate) fn close_by_hand(&mut self, n: usize) {
        let flag = self.flag_id(n);
        let close = FlagClose {
            links: links(flag),
            count: 2,
            credential: Some("01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap()),
            stopped: None,
            passed: None,
        };
        self.append_flag(close.into());
    }

    pub(crate) fn acknowledge(&mut self, n: usize) {
        let flag = self.flag_id(n);
        let update = FlagUpdate {
            links: links(flag),
            change: FlagChange::Acknowledged,
            entries: Vec::new(),
            count: 1000,
            credential: Some("01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap()),
            severity: None,
            stopped: None,
            passed: None,
        };
        self.append_flag(update.into());
    }

    /// Somebody takes note of the newest flag, if it is open.
    pub(crate) fn acknowledge_newest(&mut self) {
        let flags = self.flags().len();
        if flags > 0 {
            self.acknowledge(flags - 1);
        }
    }

    /// One of the newest decisions.
    pub(crate) fn call_before(&self, back: usize) -> Option<EntryId> {
        let calls = self.log.iter().rev();
        let mut calls = calls.filter(|entry| entry.kind() == "decision");
        calls.nth(back).map(AnyEntry::entry_id)
    }

    pub(crate) fn foreign_flag(&mut self, of: IntentRef, count: u32) {
        let flag = Flag {
            detector: Detector::Burst,
            severity: Severity::Critical,
            actor: None,
            intent_ref: Some(of),
            onset: id(999),
            entries: vec![id(999)],
            count,
            window_s: 600,
            policy_ref: policy(),
            target: None,
            reader: None,
            turn: None,
            after: None,
            stopped: None,
            passed: None,
        };
        self.append_flag(flag.into());
    }

    /// From now on drafts are committed only by [`Server::commit_next`].
    pub(crate) fn hold_drafts(&mut self) {
        self.holds = true;
    }

    pub(crate) fn pending(&mut self) -> &[FlagDraft] {
        self.pending.make_contiguous()
    }

    pub(crate) fn commit_next(&mut self) {
        if let Some(draft) = self.pending.pop_front() {
            self.append_flag(draft.into());
        }
    }

    pub(crate) fn commit_all(&mut self) {
        while !self.pending.is_empty() {
            self.commit_next();
        }
    }

    /// The process dies and another reads the log.
    pub(crate) fn restart(&mut self) {
        self.watch = Watch::new();
        self.watch.set_policy(policy(), self.settings.clone());
        for (index, entry) in (0..).zip(&self.log) {
            if let Some(Body::Policy(body)) = entry.body() {
                self.watch
                    .set_policy(body.policy_ref, self.settings.clone());
            }
            self.watch.observe(index, entry);
        }
        self.pending = self.watch.outstanding().into();
    }

    pub(crate) fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    pub(crate) fn log(&self) -> &[AnyEntry] {
        &self.log
    }

    pub(crate) fn first_decision(&self) -> EntryId {
        id(1)
    }

    pub(crate) fn flags(&self) -> Vec<Flag> {
        let bodies = self.log.iter().filter_map(AnyEntry::body);
        bodies
            .filter_map(|body| match body {
                Body::Flag(flag) => Some(flag.clone()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn updates(&self) -> Vec<FlagUpdate> {
        let bodies = self.log.iter().filter_map(AnyEntry::body);
        bodies
            .filter_map(|body| match body {
                Body::FlagUpdate(update) => Some(update.clone()),
                _ => None,
            })
            .collect()
    }

    /// The counts of the closes.
    pub(crate) fn closes(&self) -> Vec<u32> {
        let bodies = self.log.iter().filter_map(AnyEntry::body);
        bodies
            .filter_map(|body| match body {
                Body::FlagClose(close) => Some(close.count),
                _ => None,
            })
            .collect()
    }

    /// Every flag with all that was written of it, in an order that does not depend on when.
    pub(crate) fn history(&self) -> Vec<String> {
        let mut all = Vec::new();
        for entry in &self.log {
            let Some(Body::Flag(flag)) = entry.body() else {
                continue;
            };
            let mut told = format!("{flag:?}");
            for later in self.log.iter().filter_map(AnyEntry::body) {
                match later {
                    Body::FlagUpdate(update)
                        if update.links.flag == Some(entry.entry_id())
                            && update.change == FlagChange::Grown =>
                    {
                        told += &format!(
                            " {} {:?} {:?} {:?} {:?}",
                            update.count,
                            update.entries,
                            update.severity,
                            update.stopped,
                            update.passed
                        );
                    }
                    Body::FlagClose(close) if close.links.flag == Some(entry.entry_id()) => {
                        told += &format!(" closed {}", close.count);
                    }
                    _ => {}
                }
            }
            all.push(told);
        }
        all.sort();
        all
    }

    fn flag_id(&self, n: usize) -> EntryId {
        let flags = self.log.iter().filter(|entry| entry.kind() == "flag");
        flags.map(AnyEntry::entry_id).nth(n).unwrap()
    }

    fn append_flag(&mut self, body: Body) {
        self.flags += 1;
        self.append(id(FLAG_IDS + self.flags), body);
    }

    fn append(&mut self, entry_id: EntryId, body: Body) {
        let entry = AnyEntry::Known(Box::new(Entry {
            entry_id,
            timestamp: self.now,
            body,
        }));
        let drafts = self.watch.observe(self.log.len() as u64, &entry);
        self.log.push(entry);
        self.take(drafts);
    }

    fn take(&mut self, drafts: Vec<FlagDraft>) {
        self.pending.extend(drafts);
        if !self.holds {
            // Held while it commits: what comes of that joins the queue.
            self.holds = true;
            self.commit_all();
            self.holds = false;
        }
    }
}

fn links(flag: EntryId) -> Links {
    Links {
        flag: Some(flag),
        ..Links::default()
    }
}

fn decision(name: &str, of: Option<IntentRef>, outcome: Outcome, mode: Mode) -> Decision {
    Decision {
        action: "email.send".parse().unwrap(),
        actor: actor(name),
        intent_ref: of,
        policy_ref: policy(),
        outcome,
        reasons: Vec::new(),
        call_ref: None,
        facts_ref: None,
        reasoning_ref: None,
        principal: None,
        session: None,
        targets: Vec::new(),
        counts: Vec::new(),
        credential: "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap(),
        surface: Surface::Api,
        mode,
        links: Links::default(),
        judge: "countersign 0.1.0".parse().unwrap(),
        claimed_intent_ref: None,
        actions: None,
        effective_call_ref: None,
    }
}
