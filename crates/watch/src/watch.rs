//! The fold.

use std::collections::VecDeque;

use countersign_core::document::WatchSettings;
use countersign_core::entry::{AnyEntry, Body, Decision, Detector, Flag, FlagChange, Mode};
use countersign_core::ids::EntryId;
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::refs::{IntentRef, PolicyRef};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

use crate::draft::FlagDraft;
use crate::expiring::Expiring;
use crate::incident::{Incident, Seen, Terms};
use crate::subject::{Of, Subject};

/// What bounds the memory of a [`Watch`].
pub mod limits {
    /// Most actors and intents whose entries are being counted. Beyond it, those that were quiet
    /// longest are forgotten.
    pub const GATHERING: usize = 4096;
    /// Most running incidents. Beyond it, the one that was quiet longest is closed.
    pub const INCIDENTS: usize = 1024;
    /// Most ended incidents of which something is still to be written. Beyond it, the oldest are
    /// forgotten, and their flags stay as they are.
    pub const ENDED: usize = 1024;
    /// The highest threshold; a higher setting counts as this.
    pub const THRESHOLD: u32 = 1000;
    /// How long a tool that has changed stays quiet, in seconds, before a call of one begins another
    /// incident. Every such call counts: no setting turns the detector off.
    pub const TOOL_CHANGED_WINDOW_S: u32 = 3_600;
    /// How much later than a window's end, in milliseconds, a tick takes it to be over: what is
    /// committed next may have a time that is earlier than the tick's by as much as a ledger's
    /// clock may step back.
    pub const TICK_SLACK_MS: i64 = 2_000;
}

/// The detectors' state, folded from the entries so far.
#[derive(Debug, Clone)]
pub struct Watch {
    policy: Option<(PolicyRef, WatchSettings)>,
    /// Entries with a lower index were seen.
    next_index: u64,
    gathering: Expiring<VecDeque<Seen>>,
    running: Expiring<Incident>,
    ended: VecDeque<(Subject, Incident)>,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// A watch that has seen nothing, and detects nothing before [`Watch::set_policy`].
    pub fn new() -> Self {
        Self {
            policy: None,
            next_index: 0,
            gathering: Expiring::new(),
            running: Expiring::new(),
            ended: VecDeque::new(),
        }
    }

    /// The settings that hold from the next entry on. To be called where the log says that a bundle
    /// came into force, in a replay too. Running incidents keep the window that they began with.
    pub fn set_policy(&mut self, policy_ref: PolicyRef, settings: WatchSettings) {
        self.policy = Some((policy_ref, settings));
    }

    /// Takes in the entry at `index` and gives what is to be written because of it. Every draft is
    /// given once. An entry that was seen before changes nothing.
    pub fn observe(&mut self, index: u64, entry: &AnyEntry) -> Vec<FlagDraft> {
        if index < self.next_index {
            return Vec::new();
        }
        self.next_index = index.saturating_add(1);
        let at = entry.timestamp();
        let mut drafts = self.expire(at);
        match entry.body() {
            Some(Body::Decision(decision)) => {
                self.decision(at, entry.entry_id(), decision, &mut drafts);
            }
            Some(Body::Flag(flag)) => {
                drafts.extend(self.flag_written(at, entry.entry_id(), flag));
            }
            Some(Body::FlagUpdate(update)) if update.change == FlagChange::Grown => {
                self.update_written(update.links.flag, update.count);
            }
            Some(Body::FlagClose(close)) => self.close_written(close.links.flag),
            _ => {}
        }
        drafts
    }

    /// Says that it is `now`, so that incidents end though nothing more is committed.
    pub fn tick(&mut self, now: Timestamp) -> Vec<FlagDraft> {
        self.expire(now.plus_millis(-limits::TICK_SLACK_MS))
    }

    /// Everything that was drafted and does not stand in the log. To be called after a replay, or
    /// once it is certain that drafts which were given out did not come to be committed.
    pub fn outstanding(&self) -> Vec<FlagDraft> {
        let ended = self.ended.iter().map(|(_, incident)| incident);
        let running = self.running.iter().map(|(_, incident)| incident);
        ended
            .chain(running)
            .flat_map(Incident::outstanding)
            .collect()
    }

    fn decision(
        &mut self,
        at: Timestamp,
        entry: EntryId,
        decision: &Decision,
        drafts: &mut Vec<FlagDraft>,
    ) {
        let Some((policy_ref, settings)) = self.policy.clone() else {
            return;
        };
        if decision.mode != Mode::Enforced {
            return;
        }
        let terms = |threshold: u32, window_s| Terms {
            policy_ref,
            threshold: threshold.min(limits::THRESHOLD),
            window_s,
        };
        let seen = Seen {
            at,
            entry,
            actor: decision.actor.clone(),
            intent: decision.intent_ref,
        };
        let is_attempt = !is_listing(decision);
        if decision.outcome == Outcome::Rejected && is_attempt {
            let terms = terms(settings.burst_rejections, settings.burst_window_s);
            // The intent first: whether it has an incident decides whether the actor needs one.
            if let Some(intent) = decision.intent_ref {
                drafts.extend(self.count(Subject::burst_under(intent), &seen, terms));
            }
            drafts.extend(self.count(Subject::burst_of(&seen.actor), &seen, terms));
        }
        if is_unmandated(decision) && is_attempt {
            let terms = terms(settings.unmandated_calls, settings.unmandated_window_s);
            drafts.extend(self.count(Subject::unmandated(&seen.actor), &seen, terms));
        }
        if has_changed_tool(decision) {
            let terms = terms(1, limits::TOOL_CHANGED_WINDOW_S);
            drafts.extend(self.count(Subject::tool_changed(&seen.actor), &seen, terms));
        }
        drafts.extend(self.enforce_limits());
    }

    fn count(&mut self, subject: Subject, seen: &Seen, terms: Terms) -> Option<FlagDraft> {
        match self.running.remove(&subject) {
            Some(incident) => self.go_on(subject, incident, seen),
            None if terms.threshold > 0 => self.gather(subject, seen, terms),
            None => None,
        }
    }

    /// One more entry of a running incident.
    fn go_on(
        &mut self,
        subject: Subject,
        mut incident: Incident,
        seen: &Seen,
    ) -> Option<FlagDraft> {
        let mut draft = incident.add(seen);
        if let Some(intent) = incident.covered_by {
            let is_covered =
                seen.intent == Some(intent) && self.running.contains(&Subject::burst_under(intent));
            if !is_covered {
                draft = incident.raise(&subject);
            }
        }
        let deadline = incident.terms.deadline(seen.at);
        self.running.insert(subject, deadline, incident);
        draft
    }

    /// One more entry of a subject that has no incident, which may begin one.
    fn gather(&mut self, subject: Subject, seen: &Seen, terms: Terms) -> Option<FlagDraft> {
        let mut recent = self.gathering.remove(&subject).unwrap_or_default();
        recent.push_back(seen.clone());
        while recent
            .front()
            .is_some_and(|first| terms.deadline(first.at) < seen.at)
        {
            recent.pop_front();
        }
        let deadline = terms.deadline(seen.at);
        if u32::try_from(recent.len()).is_ok_and(|count| count < terms.threshold) {
            self.gathering.insert(subject, deadline, recent);
            return None;
        }
        let mut incident = Incident::begin(terms, &recent)?;
        incident.covered_by = self.covering_intent(&subject, &recent);
        let draft = match incident.covered_by {
            Some(_) => None,
            None => incident.raise(&subject),
        };
        self.running.insert(subject, deadline, incident);
        draft
    }

    /// The intent that all these entries of an actor's burst are under, if it has an incident.
    fn covering_intent(&self, subject: &Subject, recent: &VecDeque<Seen>) -> Option<IntentRef> {
        let is_actors_burst =
            subject.detector == Detector::Burst && matches!(subject.of, Of::Actor(_));
        let intent = recent.front()?.intent?;
        let is_covered = is_actors_burst
            && recent.iter().all(|seen| seen.intent == Some(intent))
            && self.running.contains(&Subject::burst_under(intent));
        is_covered.then_some(intent)
    }

    /// Ends what was quiet for a window before `now`.
    fn expire(&mut self, now: Timestamp) -> Vec<FlagDraft> {
        while self.gathering.pop_expired(now).is_some() {}
        let mut drafts = Vec::new();
        while let Some((subject, incident)) = self.running.pop_expired(now) {
            drafts.extend(self.end(subject, incident));
        }
        drafts
    }

    fn enforce_limits(&mut self) -> Vec<FlagDraft> {
        while self.gathering.len() > limits::GATHERING {
            self.gathering.pop_first();
        }
        let mut drafts = Vec::new();
        while self.running.len() > limits::INCIDENTS
            && let Some((subject, incident)) = self.running.pop_first()
        {
            drafts.extend(self.end(subject, incident));
        }
        drafts
    }

    fn end(&mut self, subject: Subject, mut incident: Incident) -> Option<FlagDraft> {
        if incident.covered_by.is_some() {
            return None;
        }
        let draft = incident.close();
        self.ended.push_back((subject, incident));
        while self.ended.len() > limits::ENDED {
            self.ended.pop_front();
        }
        draft
    }

    /// A flag stands in the log.
    fn flag_written(&mut self, at: Timestamp, id: EntryId, flag: &Flag) -> Vec<FlagDraft> {
        let Some(subject) = Subject::of_flag(flag) else {
            return Vec::new();
        };
        if let Some(incident) = self.awaiting(&subject, flag.onset) {
            return incident.flagged(id);
        }
        if !self.running.contains(&subject) {
            // Not one of ours, or one that was forgotten: it is followed to its end all the same.
            self.gathering.remove(&subject);
            let incident = Incident::adopt(id, flag);
            let deadline = incident.terms.deadline(at);
            self.running.insert(subject, deadline, incident);
            return self.enforce_limits();
        }
        Vec::new()
    }

    /// The incident that a flag belongs to: that with the same onset, or else any of the subject.
    fn awaiting(&mut self, subject: &Subject, onset: EntryId) -> Option<&mut Incident> {
        let is_same = |incident: &Incident| incident.awaits_flag() && incident.onset == onset;
        let of_ended = |(of, incident): &(Subject, Incident)| of == subject && is_same(incident);
        if let Some(at) = self.ended.iter().position(of_ended) {
            return self.ended.get_mut(at).map(|(_, incident)| incident);
        }
        self.running
            .get_mut(subject)
            .filter(|incident| incident.awaits_flag())
    }

    /// An update stands in the log.
    fn update_written(&mut self, flag: Option<EntryId>, count: u32) {
        let running = self.running.iter_mut().map(|(_, incident)| incident);
        let ended = self.ended.iter_mut().map(|(_, incident)| incident);
        let mut all = running.chain(ended);
        if let Some(incident) = all.find(|incident| flag.is_some() && incident.flag == flag) {
            incident.updated(count);
        }
    }

    /// The end of a flag stands in the log, of itself or because a person closed it. What comes
    /// after it begins anew.
    fn close_written(&mut self, flag: Option<EntryId>) {
        let is_it = |incident: &Incident| flag.is_some() && incident.flag == flag;
        self.ended.retain(|(_, incident)| !is_it(incident));
        let found = self.running.iter().find(|(_, incident)| is_it(incident));
        let Some(subject) = found.map(|(subject, _)| subject.clone()) else {
            return;
        };
        self.running.remove(&subject);
        if let Of::Intent(intent) = subject.of {
            let covered = self.running.iter();
            let covered = covered.filter(|(_, incident)| incident.covered_by == Some(intent));
            let covered: Vec<Subject> = covered.map(|(subject, _)| subject.clone()).collect();
            for subject in covered {
                self.running.remove(&subject);
            }
        }
    }
}

/// Whether the call was rejected because its tool is listed otherwise than it was confirmed.
fn has_changed_tool(decision: &Decision) -> bool {
    let changed = ReasonId::builtin(BuiltinReason::ToolChanged);
    decision.outcome == Outcome::Rejected && decision.reasons.contains(&changed)
}

/// Whether nobody called the tool: its changed definition was met in a list.
fn is_listing(decision: &Decision) -> bool {
    has_changed_tool(decision) && decision.facts_ref.is_none()
}

/// Whether nobody was behind the call. A call that was stopped, or whose state kept changing, was
/// refused before anybody looked for its turn.
fn is_unmandated(decision: &Decision) -> bool {
    let unlooked = [BuiltinReason::Stopped, BuiltinReason::Contended].map(ReasonId::builtin);
    decision.intent_ref.is_none() && !decision.reasons.iter().any(|id| unlooked.contains(id))
}
