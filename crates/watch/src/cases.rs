//! What is being counted, what has become an incident, and what is to be written of it.

use std::collections::{BTreeSet, VecDeque};

use countersign_core::entry::{Detector, Flag};
use countersign_core::ids::EntryId;
use countersign_core::names::ActorName;
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;

use crate::draft::FlagDraft;
use crate::expiring::Expiring;
use crate::gather::{Gather, Pattern};
use crate::incident::Incident;
use crate::limits;
use crate::seen::{Place, Seen, Terms};
use crate::subject::Subject;

/// Every subject's count or incident.
#[derive(Debug, Clone)]
pub(crate) struct Cases {
    gathering: Expiring<Gather>,
    running: Expiring<Incident>,
    ended: VecDeque<(Subject, Incident)>,
    /// Running incidents, each with one that it covers.
    covers: BTreeSet<(Subject, Subject)>,
    /// The incidents that the entry that is being looked at belongs to, so far.
    hits: Vec<Subject>,
    drafts: Vec<FlagDraft>,
}

impl Cases {
    pub(crate) fn new() -> Self {
        Self {
            gathering: Expiring::new(),
            running: Expiring::new(),
            ended: VecDeque::new(),
            covers: BTreeSet::new(),
            hits: Vec::new(),
            drafts: Vec::new(),
        }
    }

    /// What is to be written because of the entries since it was last asked for.
    pub(crate) fn take_drafts(&mut self) -> Vec<FlagDraft> {
        self.enforce_limits();
        std::mem::take(&mut self.drafts)
    }

    /// Whether the entry that is being looked at belongs to an incident, or another one of the same
    /// actor or intent is running that is more than unusual.
    pub(crate) fn is_busy(&self, actor: &ActorName, intent: Option<IntentRef>) -> bool {
        use Detector::{Burst, Retry, ToolChanged, Unmandated};
        let of_actor = [Burst, Unmandated, ToolChanged];
        let of_intent = [Burst, Retry];
        let is_running = |subject: &Subject| self.running.contains(subject);
        self.hits.iter().any(Subject::can_cover)
            || of_actor
                .iter()
                .any(|of| is_running(&Subject::actor(*of, actor)))
            || intent.is_some_and(|intent| {
                let mut subjects = of_intent.iter().map(|of| Subject::intent(*of, intent));
                subjects.any(|subject| is_running(&subject))
            })
    }

    pub(crate) fn is_running(&self, subject: &Subject) -> bool {
        self.running.contains(subject)
    }

    /// One more entry that counts. It belongs to a running incident, or may begin one.
    pub(crate) fn count(
        &mut self,
        subject: Subject,
        seen: &Seen,
        terms: Terms,
        pattern: Option<Pattern>,
    ) {
        if self.go_on(&subject, seen) || terms.threshold == 0 {
            return;
        }
        let mut gather = self.gathering.remove(&subject).unwrap_or_default();
        let slow = Terms {
            window_s: terms.window_s.max(limits::SLOW_WINDOW_S),
            ..terms
        };
        let is_slow = subject.can_be_slow() && pattern.is_some();
        if is_slow {
            gather.hold();
        }
        gather.add(seen, &terms, pattern);
        if gather.is_reached(&terms, seen.at, pattern) {
            let is_beyond = gather.is_beyond(&terms, seen.at);
            let terms = if is_beyond { slow } else { terms };
            self.begin(subject, terms, &gather.into_chain());
        } else {
            let deadline = if is_slow { &slow } else { &terms }.deadline(seen.at);
            self.gathering.insert(subject, deadline, gather);
        }
    }

    /// An entry of an actor with a past that does not count.
    pub(crate) fn relieve(&mut self, subject: &Subject, pattern: Pattern) {
        let left = self
            .gathering
            .get_mut(subject)
            .map(|of| of.relieve(pattern));
        if left == Some(false) {
            self.gathering.remove(subject);
        }
    }

    /// An entry that belongs to what is counted or runs, and counts for nothing by itself. Of two
    /// incidents of which one covers the other, it is told of by the one that has the flag.
    pub(crate) fn join(&mut self, subject: &Subject, seen: &Seen, terms: &Terms) {
        match self.flagged(subject) {
            Some(flagged) if self.hits.contains(&flagged) => {}
            Some(flagged) => {
                self.go_on(&flagged, seen);
            }
            None => {
                if let Some(gather) = self.gathering.get_mut(subject) {
                    gather.push(seen, terms);
                }
            }
        }
    }

    /// The running incident that has the flag: the subject's own, or the one that covers it.
    fn flagged(&self, subject: &Subject) -> Option<Subject> {
        let mut of = subject;
        while let Some(by) = &self.running.get(of)?.covered_by {
            of = by;
        }
        Some(of.clone())
    }

    /// Whether an incident of the subject is running that has a flag of its own.
    pub(crate) fn is_flagged(&self, subject: &Subject) -> bool {
        self.flagged(subject).as_ref() == Some(subject)
    }

    /// One more entry of a running incident; says whether there is one.
    pub(crate) fn go_on(&mut self, subject: &Subject, seen: &Seen) -> bool {
        let Some(mut incident) = self.running.remove(subject) else {
            return false;
        };
        let mut draft = incident.add(subject, seen);
        if let Some(by) = &incident.covered_by
            && !self.still_covers(by, subject)
        {
            draft = incident.raise(subject);
        }
        self.drafts.extend(draft);
        let deadline = incident.terms.deadline(seen.at);
        self.running.insert(subject.clone(), deadline, incident);
        self.hits.push(subject.clone());
        true
    }

    /// An incident of these entries, oldest first.
    pub(crate) fn begin(&mut self, subject: Subject, terms: Terms, chain: &[Seen]) {
        let (Some(mut incident), Some(last)) = (Incident::begin(terms, chain), chain.last()) else {
            return;
        };
        incident.covered_by = self.covering(&subject, chain);
        match &incident.covered_by {
            None => self.drafts.extend(incident.raise(&subject)),
            Some(by) => {
                self.covers.insert((by.clone(), subject.clone()));
            }
        }
        let deadline = terms.deadline(last.at);
        self.running.insert(subject.clone(), deadline, incident);
        self.hits.push(subject);
    }

    /// The incident that holds all these entries, or that looks at the same attempts.
    fn covering(&self, subject: &Subject, chain: &[Seen]) -> Option<Subject> {
        if !subject.can_be_covered() {
            return None;
        }
        let twin = subject.twin().filter(|twin| self.running.contains(twin));
        twin.or_else(|| {
            let mut hits = self.hits.iter().filter(|by| by.can_cover());
            let covers = |by: &&Subject| self.running.get(by).is_some_and(|of| of.holds(chain));
            hits.find(covers).cloned()
        })
    }

    /// Whether the entry that is being looked at belongs to the covering incident, too.
    fn still_covers(&self, by: &Subject, subject: &Subject) -> bool {
        let is_twin = subject.twin().as_ref() == Some(by);
        self.running.contains(by) && (is_twin || self.hits.contains(by))
    }

    /// Ends what was quiet for a window before `now`.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.hits.clear();
        while self.gathering.pop_expired(now).is_some() {}
        while let Some((subject, incident)) = self.running.pop_expired(now) {
            self.end(subject, incident);
        }
    }

    /// Forgets and ends what is more than there is room for.
    pub(crate) fn enforce_limits(&mut self) {
        while self.gathering.len() > limits::GATHERING {
            self.gathering.pop_first();
        }
        while self.running.len() > limits::INCIDENTS
            && let Some((subject, incident)) = self.running.pop_first()
        {
            self.end(subject, incident);
        }
    }

    fn end(&mut self, subject: Subject, mut incident: Incident) {
        self.drop_covered(&subject);
        if incident.covered_by.is_some() {
            return;
        }
        self.drafts.extend(incident.close(&subject));
        self.ended.push_back((subject, incident));
        while self.ended.len() > limits::ENDED {
            self.ended.pop_front();
        }
    }

    /// What an incident covered ends with it: all entries of it were the incident's own, and what
    /// comes later begins anew.
    fn drop_covered(&mut self, by: &Subject) {
        let mut over = vec![by.clone()];
        while let Some(by) = over.pop() {
            let from = self.covers.range((by.clone(), Subject::first())..);
            let of_it = from.take_while(|(covering, _)| *covering == by);
            for pair in of_it.cloned().collect::<Vec<_>>() {
                self.covers.remove(&pair);
                let (_, of) = pair;
                let covered_by = self.running.get(&of).and_then(|of| of.covered_by.as_ref());
                if covered_by == Some(&by) {
                    self.running.remove(&of);
                    over.push(of);
                }
            }
        }
    }

    /// Everything that was drafted and does not stand in the log.
    pub(crate) fn outstanding(&self) -> Vec<FlagDraft> {
        let ended = self.ended.iter().map(|(_, incident)| incident);
        let running = self.running.iter().map(|(_, incident)| incident);
        ended
            .chain(running)
            .flat_map(Incident::outstanding)
            .collect()
    }

    /// A flag stands in the log.
    pub(crate) fn flag_written(&mut self, place: Place, flag: &Flag) {
        let Some(subject) = Subject::of_flag(flag) else {
            return;
        };
        if let Some(incident) = self.awaiting(&subject, flag.onset) {
            let drafts = incident.flagged(place.entry, flag);
            self.drafts.extend(drafts);
            return;
        }
        if !self.running.contains(&subject) {
            // Not one of ours, or one that was forgotten: it is followed to its end all the same.
            self.gathering.remove(&subject);
            let incident = Incident::adopt(place, flag);
            let deadline = incident.terms.deadline(place.at);
            self.running.insert(subject, deadline, incident);
        }
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
    pub(crate) fn update_written(&mut self, flag: Option<EntryId>, count: u32) {
        let running = self.running.iter_mut().map(|(_, incident)| incident);
        let ended = self.ended.iter_mut().map(|(_, incident)| incident);
        let mut all = running.chain(ended);
        if let Some(incident) = all.find(|incident| flag.is_some() && incident.flag == flag) {
            incident.updated(count);
        }
    }

    /// The end of a flag stands in the log, of itself or because a person closed it. What comes
    /// after it begins anew, and so does what it covered.
    pub(crate) fn close_written(&mut self, flag: Option<EntryId>) {
        let is_it = |incident: &Incident| flag.is_some() && incident.flag == flag;
        self.ended.retain(|(_, incident)| !is_it(incident));
        let found = self.running.iter().find(|(_, incident)| is_it(incident));
        if let Some(subject) = found.map(|(of, _)| of.clone()) {
            self.running.remove(&subject);
            self.drop_covered(&subject);
        }
    }
}
