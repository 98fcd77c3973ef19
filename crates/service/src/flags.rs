//! Flags: reading them with what they rest on, and taking note of them.
//!
//! Raising, following and ending them by itself is the watcher's.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_core::entry::{
    AnyEntry, Body, Flag, FlagChange, FlagClose, FlagUpdate, Kind as _, Links, Role,
};
use countersign_core::ids::EntryId;
use countersign_core::limits::LEAF_LIST;
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;
use countersign_ledger::{Filter, Order, Page};
use countersign_merkle::LeafIndex;
use countersign_wire::{EntryAnswer, FlagChanged, FlagDetail, FlagList, FlagView};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, WatchRow, key};

/// Most flags that are listed.
pub const FLAGS_LISTED: usize = 1_000;
/// Most updates and closings that are looked through for a list.
const NEWS_READ: usize = 4_000;
/// Entries that are looked through at once.
const PAGE: usize = 500;
/// How often it is tried to write of a flag while others do, and how long is waited in between.
const TRIES: u32 = 1_000;
const BETWEEN: Duration = Duration::from_millis(2);
/// Who reads flags.
const READERS: [Role; 3] = [Role::Auditor, Role::Reviewer, Role::Admin];

/// A `flag`, `flag-update` or `flag-close` entry.
struct Report {
    index: LeafIndex,
    entry_id: EntryId,
    at: Timestamp,
    body: Body,
}

impl Service {
    /// The newest [`FLAGS_LISTED`] flags, newest first, with what became of them.
    pub fn flags(&self, caller: &Caller) -> Result<FlagList, ServiceError> {
        caller.require_any(&READERS)?;
        let mut flags = Vec::new();
        let newest = Order::NewestFirst;
        for report in self.reports(Flag::KIND, newest, None, FLAGS_LISTED)? {
            if let Body::Flag(flag) = &report.body {
                flags.push(view(&report, flag));
            }
        }
        let mut news = self.reports(FlagUpdate::KIND, newest, None, NEWS_READ)?;
        news.extend(self.reports(FlagClose::KIND, newest, None, NEWS_READ)?);
        news.sort_by_key(|report| report.index);
        for report in &news {
            let about = flag_of(&report.body);
            let view = about.and_then(|id| find(&mut flags, id));
            if let Some(view) = view {
                follow(view, report);
            }
        }
        Ok(FlagList { flags })
    }

    /// One flag, with its reports and the entries that it rests on, each with its proof against the
    /// present checkpoint.
    pub fn flag(&self, caller: &Caller, flag: EntryId) -> Result<FlagDetail, ServiceError> {
        caller.require_any(&READERS)?;
        let (view, reports, named) = self.followed(flag)?;
        let answer = |(index, id): &(LeafIndex, EntryId)| {
            Ok(EntryAnswer {
                index: index.get(),
                entry: self.entry_json(*id)?,
            })
        };
        let reports = reports.iter().map(|report| (report.index, report.entry_id));
        let reports: Vec<_> = reports.collect();
        let mut entries = BTreeSet::new();
        for id in named {
            if let Some((index, _)) = self.known_entry(id)? {
                entries.insert((index, id));
            }
        }
        if let Some(turn) = &view.turn {
            entries.extend(self.registration(crate::turns::name(turn)?)?);
        }
        Ok(FlagDetail {
            reports: reports.iter().map(answer).collect::<Result<_, _>>()?,
            entries: entries
                .iter()
                .map(answer)
                .collect::<Result<_, ServiceError>>()?,
            flag: view,
        })
    }

    /// Takes note of a flag: an update that says who. The incident goes on.
    pub fn acknowledge_flag(
        &self,
        caller: &Caller,
        flag: EntryId,
    ) -> Result<FlagChanged, ServiceError> {
        self.report_flag(caller, flag, |view| {
            FlagUpdate {
                links: about(flag),
                change: FlagChange::Acknowledged,
                entries: Vec::new(),
                count: view.count,
                credential: Some(caller.id()),
                severity: None,
                stopped: view.stopped,
                passed: view.passed,
            }
            .into()
        })
    }

    /// Closes a flag. What comes after it begins another one.
    pub fn close_flag(&self, caller: &Caller, flag: EntryId) -> Result<FlagChanged, ServiceError> {
        self.report_flag(caller, flag, |view| {
            FlagClose {
                links: about(flag),
                count: view.count,
                credential: Some(caller.id()),
                stopped: view.stopped,
                passed: view.passed,
            }
            .into()
        })
    }

    fn report_flag(
        &self,
        caller: &Caller,
        flag: EntryId,
        body: impl Fn(&FlagView) -> Body,
    ) -> Result<FlagChanged, ServiceError> {
        caller.require_any(&[Role::Reviewer, Role::Admin])?;
        let mut tries = 0_u32;
        loop {
            tries = tries.saturating_add(1);
            match self.try_report(caller, flag, &body) {
                // Somebody wrote of a flag meanwhile, perhaps of this one.
                Err(error) if error.code == ErrorCode::Contended && tries < TRIES => {
                    std::thread::sleep(BETWEEN);
                }
                other => return other,
            }
        }
    }

    fn try_report(
        &self,
        caller: &Caller,
        flag: EntryId,
        body: impl Fn(&FlagView) -> Body,
    ) -> Result<FlagChanged, ServiceError> {
        let mut reads = caller.reads();
        let watched: Option<WatchRow> = state::read_into(&self.ledger, key::watch(), &mut reads)?;
        // What was committed and is not released yet can be about this flag, and is not seen below.
        let newest = reads
            .versions
            .iter()
            .filter_map(|(_, version)| *version)
            .max();
        if newest.is_some_and(|newest| newest.get() >= self.ledger.size().get()) {
            let detail = "something was written of a flag meanwhile";
            return Err(ServiceError::new(ErrorCode::Contended, detail));
        }
        let (view, ..) = self.followed(flag)?;
        if view.state == "closed" {
            let detail = "the flag is closed";
            return Err(ServiceError::new(ErrorCode::Conflict, detail));
        }
        let (entry_id, body) = (self.entry_id(), body(&view));
        let committed = self.ledger.commit(reads, move |step| {
            step.push(entry_id, body.clone())?;
            // The watcher sees by the row's version that somebody else wrote of a flag.
            let row = watched.clone().unwrap_or(WatchRow { read: 0 });
            state::put(step, key::watch(), &row)
        })?;
        self.watcher.wake();
        Ok(FlagChanged {
            entry: self.only_entry(&committed)?,
        })
    }

    /// A flag as of its newest report, all reports, and every entry that they name.
    fn followed(
        &self,
        flag: EntryId,
    ) -> Result<(FlagView, Vec<Report>, BTreeSet<EntryId>), ServiceError> {
        let unknown = || ServiceError::not_found(format!("flag `{flag}`"));
        let (index, entry) = self.known_entry(flag)?.ok_or_else(unknown)?;
        let at = entry.timestamp();
        let Some(Body::Flag(body)) = entry.body().cloned() else {
            return Err(unknown());
        };
        let mut named: BTreeSet<EntryId> = body.entries.iter().copied().collect();
        named.insert(body.onset);
        named.extend(body.after);
        let mut reports = vec![Report {
            index,
            entry_id: flag,
            at,
            body: body.clone().into(),
        }];
        for kind in [FlagUpdate::KIND, FlagClose::KIND] {
            let news = self.reports(kind, Order::OldestFirst, Some(at), usize::MAX)?;
            let of_it = news.into_iter();
            reports.extend(of_it.filter(|report| flag_of(&report.body) == Some(flag)));
        }
        reports.sort_by_key(|report| report.index);
        let mut followed = None;
        for report in &reports {
            match (&mut followed, &report.body) {
                (None, _) => followed = Some(view(report, &body)),
                (Some(view), body) => {
                    if let Body::FlagUpdate(update) = body {
                        named.extend(&update.entries);
                    }
                    follow(view, report);
                }
            }
        }
        Ok((followed.ok_or_else(unknown)?, reports, named))
    }

    fn reports(
        &self,
        kind: &str,
        order: Order,
        from: Option<Timestamp>,
        most: usize,
    ) -> Result<Vec<Report>, ServiceError> {
        let filter = Filter {
            kind: Some(kind.to_owned()),
            from,
            ..Filter::default()
        };
        let mut reports = Vec::new();
        let mut after = None;
        while reports.len() < most {
            let limit = PAGE.min(most.saturating_sub(reports.len()));
            let page = Page {
                order,
                after,
                limit,
            };
            let found = self.ledger.query(&filter, &page)?;
            for stored in found.entries {
                if let AnyEntry::Known(entry) = AnyEntry::from_leaf(&stored.bytes)? {
                    reports.push(Report {
                        index: stored.index,
                        entry_id: entry.entry_id,
                        at: entry.timestamp,
                        body: entry.body,
                    });
                }
            }
            match found.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        Ok(reports)
    }

    /// The entry that registered a turn.
    fn registration(&self, turn: IntentRef) -> Result<Option<(LeafIndex, EntryId)>, ServiceError> {
        let row = state::read::<state::IntentRow>(&self.ledger, &key::intent(&turn))?;
        let Some(row) = row else { return Ok(None) };
        let known = self.known_entry(row.entry)?;
        Ok(known.map(|(index, _)| (index, row.entry)))
    }
}

fn view(report: &Report, flag: &Flag) -> FlagView {
    FlagView {
        flag: report.entry_id.to_string(),
        detector: flag.detector.to_string(),
        severity: flag.severity.to_string(),
        state: "open".to_owned(),
        raised_at: report.at.to_string(),
        changed_at: None,
        acknowledged_by: None,
        closed_by: None,
        actor: flag.actor.as_ref().map(ToString::to_string),
        intent_ref: flag.intent_ref.map(|intent| intent.to_string()),
        target: flag.target.map(|target| target.to_string()),
        reader: flag.reader.map(|reader| reader.to_string()),
        onset: flag.onset.to_string(),
        turn: flag.turn.map(|turn| turn.to_string()),
        after: flag.after.map(|after| after.to_string()),
        entries: flag.entries.iter().map(EntryId::to_string).collect(),
        count: flag.count,
        stopped: flag.stopped,
        passed: flag.passed,
    }
}

/// Takes in a later report of the flag.
fn follow(view: &mut FlagView, report: &Report) {
    view.changed_at = Some(report.at.to_string());
    match &report.body {
        Body::FlagUpdate(update) => {
            grow(view, update.count, update.stopped, update.passed);
            if let Some(severity) = update.severity {
                view.severity = severity.to_string();
            }
            match update.change {
                FlagChange::Grown => {
                    let more = update.entries.iter().map(EntryId::to_string);
                    view.entries.extend(more);
                    view.entries.truncate(LEAF_LIST);
                }
                FlagChange::Acknowledged => {
                    let by = update.credential.map(|id| id.to_string());
                    view.acknowledged_by = view.acknowledged_by.take().or(by);
                    "acknowledged".clone_into(&mut view.state);
                }
            }
        }
        Body::FlagClose(close) => {
            grow(view, close.count, close.stopped, close.passed);
            view.closed_by = close.credential.map(|id| id.to_string());
            "closed".clone_into(&mut view.state);
        }
        _ => {}
    }
}

fn grow(view: &mut FlagView, count: u32, stopped: Option<u32>, passed: Option<u32>) {
    view.count = view.count.max(count);
    view.stopped = stopped.or(view.stopped);
    view.passed = passed.or(view.passed);
}

fn flag_of(body: &Body) -> Option<EntryId> {
    match body {
        Body::FlagUpdate(update) => update.links.flag,
        Body::FlagClose(close) => close.links.flag,
        _ => None,
    }
}

fn find(flags: &mut [FlagView], flag: EntryId) -> Option<&mut FlagView> {
    let flag = flag.to_string();
    flags.iter_mut().find(|view| view.flag == flag)
}

fn about(flag: EntryId) -> Links {
    Links {
        flag: Some(flag),
        ..Links::default()
    }
}
