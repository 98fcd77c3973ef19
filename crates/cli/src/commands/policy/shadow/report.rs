//! Where the bundle in shadow and the one in force disagreed, told from the entries alone.

use std::collections::{BTreeMap, HashMap};

use clap::Args;
use comfy_table::Cell;
use countersign_client::{Client, EntriesQuery};
use countersign_core::entry::{AnyEntry, Body, Decision, Mode, PolicyPhase};
use countersign_core::ids::EntryId;
use countersign_core::verdict::Outcome;
use countersign_wire::EntryAnswer;
use serde::Serialize;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{plain, short_ref, trimmed};
use crate::terminal::{Terminal, Tone};

/// Entries on a page.
const PAGE: usize = 500;
/// Entries that are named for each group.
const EXAMPLES: usize = 3;

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Only calls from this time on: 2026-04-18T02:13:44Z, 2026-04-18, or so long ago: 2h, 1d
    /// [default: all since the bundle came into shadow]
    #[arg(long, value_name = "TIME", value_parser = crate::units::time)]
    since: Option<String>,
    /// The bundle's policy_ref [default: the one that was put in shadow last]
    #[arg(long, value_name = "POLICY_REF")]
    bundle: Option<String>,
}

/// What two bundles said of the same calls.
#[derive(Serialize, Default)]
struct Report {
    /// The bundle in shadow; nothing if none was.
    policy_ref: Option<String>,
    calls: u64,
    agreed: u64,
    newly_stopped: u64,
    newly_escalated: u64,
    newly_permitted: u64,
    first: Option<String>,
    last: Option<String>,
    groups: Vec<Group>,
}

/// Calls of one action that one rule made come out otherwise.
#[derive(Serialize)]
struct Group {
    change: Change,
    action: String,
    /// The rule of the bundle in shadow or, for what it would permit, of the one in force.
    rule: String,
    count: u64,
    /// Entries of the bundle in shadow, the newest first: `countersign explain` takes them.
    examples: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Change {
    #[serde(rename = "newly-stopped")]
    Stopped,
    #[serde(rename = "newly-escalated")]
    Escalated,
    #[serde(rename = "newly-permitted")]
    Permitted,
}

impl Change {
    fn of(enforced: Outcome, shadow: Outcome) -> Option<Self> {
        match shadow {
            _ if shadow == enforced => None,
            Outcome::Approved => Some(Self::Permitted),
            Outcome::Escalated => Some(Self::Escalated),
            _ => Some(Self::Stopped),
        }
    }

    fn text(self) -> (Tone, &'static str) {
        match self {
            Self::Stopped => (Tone::Bad, "newly stopped"),
            Self::Escalated => (Tone::Careful, "newly escalated"),
            Self::Permitted => (Tone::Good, "newly permitted"),
        }
    }
}

pub(super) fn run(
    args: &ReportArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection
        .open(terminal)?
        .with_role(&["auditor", "vault-reader"])?;
    let report = match put_in_shadow(&client, args.bundle.as_deref())? {
        Some((policy_ref, put_at)) => {
            let since = args.since.clone().unwrap_or(put_at);
            let mut fold = Fold::of(policy_ref);
            read(&client, since, terminal, &mut fold)?;
            fold.finish()
        }
        None if args.bundle.is_some() => {
            let wanted = args.bundle.as_deref().unwrap_or_default();
            return Err(CliError::usage(format!(
                "`{wanted}` is the policy_ref of no bundle that ever was in shadow"
            ))
            .hint("countersign policy list shows the bundles of the log"));
        }
        None => Report::default(),
    };
    terminal.answer(&report, || text(terminal, &report))?;
    if !terminal.is_json() {
        if report.policy_ref.is_none() {
            terminal.hint("countersign policy shadow set BUNDLE puts one in shadow");
        } else if !report.groups.is_empty() {
            terminal.hint("why one of them: countersign explain ENTRY");
        }
    }
    Ok(match report.groups.is_empty() {
        true => Exit::Yes,
        false => Exit::No,
    })
}

/// The bundle that was put in shadow last, or the one that is meant, and when that was.
fn put_in_shadow(
    client: &Client,
    wanted: Option<&str>,
) -> Result<Option<(String, String)>, CliError> {
    let mut query = EntriesQuery {
        kind: Some("policy".to_owned()),
        limit: Some(PAGE),
        ..EntriesQuery::default()
    };
    loop {
        let page = client.entries(&query)?;
        for answer in &page.entries {
            let entry = parse(answer)?;
            let Some(Body::Policy(policy)) = entry.body() else {
                continue;
            };
            let policy_ref = policy.policy_ref.to_string();
            let is_meant = wanted.is_none_or(|wanted| wanted == policy_ref);
            if policy.phase == PolicyPhase::Shadow && is_meant {
                return Ok(Some((policy_ref, entry.timestamp().to_string())));
            }
        }
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return Ok(None),
        }
    }
}

fn parse(answer: &EntryAnswer) -> Result<AnyEntry, CliError> {
    AnyEntry::from_leaf(answer.entry.get().as_bytes())
        .map_err(|error| CliError::usage(format!("entry {} cannot be read: {error}", answer.index)))
}

fn read(
    client: &Client,
    since: String,
    terminal: &Terminal,
    fold: &mut Fold,
) -> Result<(), CliError> {
    let mut query = EntriesQuery {
        kind: Some("decision".to_owned()),
        since: Some(since),
        limit: Some(PAGE),
        ..EntriesQuery::default()
    };
    let bar = terminal.progress("decisions");
    loop {
        let page = client.entries(&query)?;
        for answer in &page.entries {
            fold.add(answer)?;
        }
        bar.inc(u64::try_from(page.entries.len()).unwrap_or(u64::MAX));
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// A verdict in shadow whose enforced decision, which stands before it, was not met yet.
struct Waiting {
    entry_id: EntryId,
    decision: Decision,
}

/// Decisions as they are read, the newest first.
struct Fold {
    policy_ref: String,
    waiting: HashMap<EntryId, Waiting>,
    report: Report,
    groups: BTreeMap<(Change, String, String), (u64, Vec<String>)>,
}

impl Fold {
    fn of(policy_ref: String) -> Self {
        Self {
            policy_ref,
            waiting: HashMap::new(),
            report: Report::default(),
            groups: BTreeMap::new(),
        }
    }

    fn add(&mut self, answer: &EntryAnswer) -> Result<(), CliError> {
        let entry = parse(answer)?;
        let (entry_id, time) = (entry.entry_id(), entry.timestamp().to_string());
        let Some(Body::Decision(decision)) = entry.body() else {
            return Ok(());
        };
        match (decision.mode, decision.links.shadows) {
            (Mode::Shadow, Some(beside)) => {
                if decision.policy_ref.to_string() == self.policy_ref {
                    let decision = decision.clone();
                    self.waiting.insert(beside, Waiting { entry_id, decision });
                }
            }
            (Mode::Enforced, _) => {
                if let Some(shadow) = self.waiting.remove(&entry_id) {
                    self.compare(decision, &shadow, time);
                }
            }
            (Mode::Shadow, None) => {}
        }
        Ok(())
    }

    fn compare(&mut self, enforced: &Decision, shadow: &Waiting, time: String) {
        let report = &mut self.report;
        report.calls = report.calls.saturating_add(1);
        report.last.get_or_insert_with(|| time.clone());
        report.first = Some(time);
        let change = Change::of(enforced.outcome, shadow.decision.outcome);
        let count = match change {
            None => &mut report.agreed,
            Some(Change::Stopped) => &mut report.newly_stopped,
            Some(Change::Escalated) => &mut report.newly_escalated,
            Some(Change::Permitted) => &mut report.newly_permitted,
        };
        *count = count.saturating_add(1);
        let Some(change) = change else {
            return;
        };
        let rules = match change {
            Change::Permitted => &enforced.reasons,
            Change::Stopped | Change::Escalated => &shadow.decision.reasons,
        };
        for rule in rules {
            let action = shadow.decision.action.to_string();
            let group = self.groups.entry((change, action, rule.to_string()));
            let (count, examples) = group.or_default();
            *count = count.saturating_add(1);
            if examples.len() < EXAMPLES {
                examples.push(shadow.entry_id.to_string());
            }
        }
    }

    fn finish(self) -> Report {
        let groups = self.groups.into_iter();
        let groups = groups.map(|((change, action, rule), (count, examples))| Group {
            change,
            action,
            rule,
            count,
            examples,
        });
        let mut groups: Vec<Group> = groups.collect();
        groups.sort_by_key(|group| (group.change, std::cmp::Reverse(group.count)));
        Report {
            policy_ref: Some(self.policy_ref),
            groups,
            ..self.report
        }
    }
}

fn text(terminal: &Terminal, report: &Report) -> String {
    let Some(policy_ref) = &report.policy_ref else {
        return "no call was judged in shadow".to_owned();
    };
    let under = format!("under {} in shadow", short_ref(policy_ref));
    let calls = match report.calls {
        0 => return format!("no call was judged {under}"),
        1 => "1 call".to_owned(),
        many => format!("{many} calls"),
    };
    let mut lines = vec![
        format!(
            "{calls} {under}, {} to {}",
            report.first.as_deref().map(plain).unwrap_or_default(),
            report.last.as_deref().map(plain).unwrap_or_default()
        ),
        format!("  both agreed      {}", report.agreed),
        format!("  newly stopped    {}", report.newly_stopped),
        format!("  newly escalated  {}", report.newly_escalated),
        format!("  newly permitted  {}", report.newly_permitted),
    ];
    if !report.groups.is_empty() {
        let mut table = terminal.table(["", "action", "rule", "calls", "for example"]);
        for group in &report.groups {
            let (tone, what) = group.change.text();
            table.add_row([
                terminal.cell(tone, what),
                Cell::new(plain(&group.action)),
                Cell::new(plain(&group.rule)),
                Cell::new(group.count),
                Cell::new(plain(&group.examples.join("\n"))),
            ]);
        }
        lines.push(String::new());
        lines.push(trimmed(&table.to_string()));
    }
    lines.join("\n")
}
