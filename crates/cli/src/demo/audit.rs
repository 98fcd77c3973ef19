//! The auditor: gets the keys out of band and checkpoints early, and checks an export later.

use std::path::{Path, PathBuf};

use countersign_client::LogPath;
use countersign_merkle::TreeSize;
use countersign_merkle::tile::EntriesTile;
use countersign_note::{Note, SignedCheckpoint, VerifierKey};
use countersign_verify::{Audit, Report, Trust, Word};

use super::summary::{Found, Said, Verified};
use super::teller::Teller;
use super::world::{World, failed};
use crate::commands::{export, verify};
use crate::error::CliError;
use crate::render;

/// Why the documents are opened for the auditor.
const PURPOSE: &str = "the auditor judges every decision again";
/// How wide the name of an answer is.
const AGAINST_COLUMNS: usize = 42;

/// Somebody who does not trust the operator.
pub(super) struct Auditor {
    dir: PathBuf,
    log: LogPath,
    log_key: VerifierKey,
    root_key: VerifierKey,
    held: Vec<Held>,
}

/// A checkpoint that the auditor keeps.
struct Held {
    path: PathBuf,
    note: Note,
    size: u64,
}

impl Auditor {
    /// Hands the public keys over, by another way than the server.
    pub(super) fn appoint(world: &World) -> Result<Self, CliError> {
        let dir = world.home().join("auditor");
        std::fs::create_dir(&dir).map_err(|error| CliError::io(&dir, error))?;
        let keys = world.public_keys();
        write(
            &dir.join("log.key"),
            format!("{}\n", keys.log_key).as_bytes(),
        )?;
        write(
            &dir.join("root.key"),
            format!("{}\n", keys.root_key).as_bytes(),
        )?;
        Ok(Self {
            dir,
            log: LogPath::of_origin(&world.origin())
                .ok_or_else(|| failed("the origin has an unknown form"))?,
            log_key: keys.log_key.parse().map_err(failed)?,
            root_key: keys.root_key.parse().map_err(failed)?,
            held: Vec::new(),
        })
    }

    /// Fetches the present checkpoint, checks who signed it, and keeps it; how many entries it covers.
    pub(super) fn take_checkpoint(&mut self, world: &World, name: &str) -> Result<u64, CliError> {
        let bytes = world.anonymous().checkpoint(&self.log)?;
        let note = Note::parse(&bytes).map_err(failed)?;
        let signed =
            SignedCheckpoint::open(&note, std::slice::from_ref(&self.log_key)).map_err(failed)?;
        let size = signed.checkpoint().size().get();
        let path = self.dir.join(name);
        write(&path, &bytes)?;
        self.held.push(Held { path, note, size });
        Ok(size)
    }

    /// Gets an export and checks it: against the evening's checkpoint, against both, and once more
    /// after somebody has changed one byte.
    pub(super) fn audit(
        &self,
        world: &World,
        teller: &Teller<'_>,
        first_rejection: &str,
    ) -> Result<Verified, CliError> {
        let [evening, morning] = self.held.as_slice() else {
            return Err(failed("the auditor holds two checkpoints"));
        };
        let dir = world.home().join("export");
        export::from_server(&world.connection(), &dir, Some(PURPOSE), teller.terminal())?;
        teller
            .say("The auditor gets an export, with the documents opened, and checks it offline:")?;
        let said = |held: &[&Held], dir: &Path| self.check(held, dir, teller);
        let early = said(&[evening], &dir)?;
        told(
            teller,
            &format!("against the evening's checkpoint ({})", evening.size),
            &early,
        )?;
        let late = said(&[evening, morning], &dir)?;
        told(
            teller,
            &format!("against the morning's, too ({})", morning.size),
            &late,
        )?;
        let changed_dir = world.home().join("export-changed");
        copy(&dir, &changed_dir)?;
        let change = change_one_byte(&changed_dir, morning.size, first_rejection)?;
        let changed = said(&[evening, morning], &changed_dir)?;
        teller.say(&format!(
            "Then somebody changes one byte of a copy, {change}:"
        ))?;
        told(teller, "against the same checkpoints", &changed)?;
        self.compare(teller, &early, &late, &changed, first_rejection)?;
        Ok(Verified {
            export: dir,
            evening_checkpoint: evening.path.clone(),
            morning_checkpoint: morning.path.clone(),
            evening: Said::of(&early),
            morning: Said::of(&late),
            changed_export: changed_dir,
            changed: Said::of(&changed),
        })
    }

    fn check(&self, held: &[&Held], dir: &Path, teller: &Teller<'_>) -> Result<Report, CliError> {
        let trust = Trust {
            log_keys: vec![self.log_key.clone()],
            root_key: Some(self.root_key.clone()),
            held: held.iter().map(|held| held.note.clone()).collect(),
            policy: None,
        };
        let documents = verify::read_documents(&dir.join("documents"))?;
        let audit = Audit {
            documents,
            rejudge: true,
            ..Audit::new(trust)
        };
        verify::check(&audit, dir, teller.terminal())
    }

    fn compare(
        &self,
        teller: &Teller<'_>,
        early: &Report,
        late: &Report,
        changed: &Report,
        first: &str,
    ) -> Result<(), CliError> {
        let evening = self.held.first().map_or(0, |held| held.size);
        let covers = |report: &Report| {
            report
                .ranges
                .first()
                .map(|range| (range.word, range.last + 1))
        };
        let is_early =
            early.word == Word::Unanchored && covers(early) == Some((Word::Trusted, evening));
        teller.expect(
            is_early,
            "the evening's checkpoint covers what was there in the evening",
        )?;
        let is_rejudged = late
            .rejudged
            .as_ref()
            .is_some_and(|rejudged| rejudged.not_rejudged.is_empty());
        teller.expect(
            late.word == Word::Trusted && is_rejudged,
            "both checkpoints cover everything, judged again",
        )?;
        let names_it = |finding: &countersign_verify::Finding| {
            finding.entry_id.is_some_and(|id| id.to_string() == first)
        };
        let is_found = changed.word == Word::Failed && changed.findings.iter().any(names_it);
        teller.expect(is_found, "the changed entry is found and named")
    }
}

impl Said {
    fn of(report: &Report) -> Self {
        let finding = report
            .findings
            .iter()
            .find(|finding| finding.entry_id.is_some())
            .or(report.findings.first());
        Self {
            word: report.word,
            ranges: report.ranges.clone(),
            rejudged: report.rejudged.as_ref().map(|rejudged| rejudged.agreed),
            finding: finding.map(|finding| Found {
                index: finding.index,
                entry_id: finding.entry_id.map(|id| id.to_string()),
                check: finding.check,
            }),
        }
    }
}

/// One answer in a line, and what it rests on in another.
fn told(teller: &Teller<'_>, against: &str, report: &Report) -> Result<(), CliError> {
    let said = Said::of(report);
    let word = teller.paint(render::outcome_tone(said.word.name()), said.word.name());
    let ranges: Vec<String> = said
        .ranges
        .iter()
        .map(|range| format!("{} {}\u{2013}{}", range.word, range.first, range.last))
        .collect();
    teller.raw(&format!("    {against:<AGAINST_COLUMNS$}  {word}"))?;
    teller.raw(&render::wrapped(&ranges.join(", "), "        "))?;
    if let Some(rejudged) = said.rejudged.filter(|_| said.word == Word::Trusted) {
        let text = format!("and all {rejudged} decisions, judged again, come out the same");
        teller.raw(&format!("        {text}"))?;
    }
    for line in places(report) {
        teller.raw(&render::wrapped(&line, "        "))?;
    }
    Ok(())
}

/// Where checks do not hold, and which.
fn places(report: &Report) -> Vec<String> {
    let mut places: Vec<(Option<u64>, String, Vec<&str>)> = Vec::new();
    for finding in &report.findings {
        if let Some((.., checks)) = places
            .iter_mut()
            .find(|(index, ..)| *index == finding.index)
        {
            let check = finding.check.code();
            if !checks.contains(&check) {
                checks.push(check);
            }
            continue;
        }
        let place = match (finding.index, finding.entry_id) {
            (Some(index), Some(id)) => format!("entry {index} ({id})"),
            (Some(index), None) => format!("entry {index}"),
            (None, _) => "the log as a whole".to_owned(),
        };
        places.push((finding.index, place, vec![finding.check.code()]));
    }
    places
        .iter()
        .map(|(_, place, checks)| format!("{place}: {}", checks.join(", ")))
        .collect()
}

/// Changes one hex digit of the turn that an entry names; what was changed, in words.
fn change_one_byte(export: &Path, size: u64, entry_id: &str) -> Result<String, CliError> {
    let missing = || failed("the entry to change is not in the export");
    let size = TreeSize::new(size);
    let bundles = (0..).map_while(|bundle| EntriesTile::in_tree(bundle, size));
    for bundle in bundles {
        let path = export.join(bundle.to_string());
        let mut bytes = std::fs::read(&path).map_err(|error| CliError::io(&path, error))?;
        let Some(digit) = digit_to_change(&bytes, entry_id) else {
            continue;
        };
        let byte = bytes.get_mut(digit).ok_or_else(missing)?;
        let before = char::from(*byte);
        *byte = if *byte == b'0' { b'1' } else { b'0' };
        let after = char::from(*byte);
        write(&path, &bytes)?;
        return Ok(format!(
            "a digit of the `intent_ref` of the first rejection from {before} to {after}"
        ));
    }
    Err(missing())
}

/// Where the first digit of an entry's `intent_ref` stands. In canonical JSON it comes after the id.
fn digit_to_change(bytes: &[u8], entry_id: &str) -> Option<usize> {
    let find = |from: usize, text: &[u8]| {
        let rest = bytes.get(from..)?;
        let at = rest.windows(text.len()).position(|window| window == text)?;
        Some(from + at + text.len())
    };
    let entry = find(0, format!("\"entry_id\":\"{entry_id}\"").as_bytes())?;
    find(entry, b"\"intent_ref\":\"sha256:")
}

fn copy(from: &Path, to: &Path) -> Result<(), CliError> {
    std::fs::create_dir(to).map_err(|error| CliError::io(to, error))?;
    for entry in std::fs::read_dir(from).map_err(|error| CliError::io(from, error))? {
        let path = entry.map_err(|error| CliError::io(from, error))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).map_err(|error| CliError::io(&path, error))?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    std::fs::write(path, bytes).map_err(|error| CliError::io(path, error))
}
