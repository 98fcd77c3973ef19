//! `countersign demo`: the 2 a.m. story, on a real server.
//!
//! A support agent is asked by a person to answer one ticket: that mail is sent. At night a ticket
//! talks the agent into writing to a customer who has left: nothing is sent, and the ledger says
//! why. Everything goes the way that it would in earnest: a server over a fresh data directory, an
//! agent that has a credential of its own, a mail tool that checks permits and speaks SMTP, an
//! auditor who checks an export offline. Only the words of the agent are scripted, and "02:13": the
//! clock is real.
//!
//! The demo holds itself to what it tells: whatever goes otherwise ends it with an error.

mod agent;
mod audit;
mod mail;
mod smtp;
mod story;
mod summary;
mod teller;
mod timeline;
mod tools;
mod world;

use std::path::{Path, PathBuf};

use countersign_wire::{Explanation, FlagView, Sealable};
use serde_json::Value;

use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::{Terminal, Tone};
use audit::Auditor;
use story::{CUSTOMER, Cast};
use summary::{Mail, Night, Summary};
use teller::Teller;
use world::World;

/// How many names are tried for the directory.
const NAMES: u32 = 1_000;
/// How wide a command may be before it is folded.
const FOLDED_COLUMNS: usize = 100;
/// Why the vault reader opens what is sealed.
const PURPOSE: &str = "looking into the night's flag";

/// Plays the story on a fresh data directory and leaves it behind.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// The directory that the demo makes; by default `./countersign-demo`, or the next free name
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Plays the demo.
pub(crate) fn run(args: &DemoArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let home = make_directory(args.dir.as_deref())?;
    let teller = Teller::new(terminal);
    let world = World::begin(home)?;
    let told = play(&world, &teller);
    // The directory can be looked at even if the story went wrong.
    let ended = world.end();
    let summary = told?;
    ended?;
    if terminal.is_json() {
        terminal.json(&summary)?;
    }
    Ok(Exit::Yes)
}

fn play(world: &World, teller: &Teller<'_>) -> Result<Summary, CliError> {
    teller.raw(&teller.paint(Tone::Strong, "The 2 a.m. story, on a real server"))?;
    teller.say(&format!(
        "server {}, in {}",
        world.url(),
        world.home().display()
    ))?;

    teller.heading("1  In the afternoon")?;
    story::load_directory(world)?;
    teller.say(&format!(
        "The directory: {CUSTOMER} is active; jane.doe@former.example churned six months ago."
    ))?;
    let mut auditor = Auditor::appoint(world)?;
    let size = auditor.take_checkpoint(world, "evening")?;
    teller.say(&format!("An auditor is handed the log's public keys, and keeps a checkpoint of its {size} entries so far."))?;
    let mut cast = Cast::assemble(world)?;
    let afternoon = cast.afternoon(world, teller)?;

    teller.heading("2  02:13 (so the story goes; the clock below is real)")?;
    let night = cast.night(world, teller, &afternoon.standing)?;
    let mail = count_mail(world, teller)?;

    teller.heading("3  In the morning: what the ledger says")?;
    let flag = look_back(world, teller, &night)?;

    teller.heading("4  Why the first attempt was rejected")?;
    explain(world, teller, &night)?;

    teller.heading("5  What an auditor finds")?;
    let size = auditor.take_checkpoint(world, "morning")?;
    teller.say(&format!(
        "In the morning the auditor has taken a second checkpoint, of {size} entries."
    ))?;
    let verified = auditor.audit(world, teller, first_attempt(&night))?;

    let profile = world.save_profile()?;
    let commands = next_commands(world.home(), &profile, first_attempt(&night));
    teller.heading("6  Look further")?;
    commands
        .iter()
        .try_for_each(|command| teller.raw(&folded(command)))?;
    let keys = world.public_keys();
    Ok(Summary {
        directory: world.home().to_owned(),
        data: world.home().join("data"),
        profile,
        origin: world.origin(),
        log_key: keys.log_key.clone(),
        root_key: keys.root_key.clone(),
        approved: afternoon.approved + 1,
        attempts: night.tried,
        permit_refused: night.permit_refused,
        mail,
        flag,
        verified,
        commands,
    })
}

/// What the mail server holds: the one approved message, and nothing of the night.
fn count_mail(world: &World, teller: &Teller<'_>) -> Result<Mail, CliError> {
    let messages = world.mail_server().messages();
    let recipients: Vec<String> = messages
        .iter()
        .flat_map(|message| message.to.clone())
        .collect();
    let count = if messages.len() == 1 {
        "1 message".to_owned()
    } else {
        format!("{} messages", messages.len())
    };
    teller.say(&format!(
        "The mail server ({}) holds {count}, to {}.",
        world.mail_server().address(),
        recipients.join(", ")
    ))?;
    teller.expect(
        messages.len() == 1 && recipients == [CUSTOMER],
        "exactly the approved message was sent",
    )?;
    Ok(Mail {
        messages: messages.len(),
        recipients,
    })
}

/// The timeline and the flag.
fn look_back(world: &World, teller: &Teller<'_>, night: &Night) -> Result<FlagView, CliError> {
    world.settle_watch()?;
    let client = world.client("auditor")?;
    let entries = timeline::read(&client)?;
    timeline::show(&entries, teller)?;
    let flags = client.flags()?.flags;
    let of_night = |flag: &FlagView| {
        flag.detector == "burst" && flag.intent_ref.as_ref() == Some(&night.intent_ref)
    };
    let flag = flags.into_iter().find(of_night);
    let is_first = flag
        .as_ref()
        .is_some_and(|flag| flag.onset == first_attempt(night));
    teller.expect(
        is_first,
        "a flag names the first rejection as its beginning",
    )?;
    let flag = flag.ok_or_else(|| world::failed("there is no flag"))?;
    let is_onset = |(_, entry): &&(u64, Value)| {
        entry.get("entry_id").and_then(Value::as_str) == Some(&flag.onset)
    };
    let onset = entries.iter().find(is_onset).map(|(index, _)| *index);
    teller.raw("")?;
    timeline::show_flag(&flag, onset, teller)?;
    Ok(flag)
}

/// Why the first attempt was rejected, opened for a stated purpose.
fn explain(world: &World, teller: &Teller<'_>, night: &Night) -> Result<(), CliError> {
    let explained = world
        .client("vault-reader")?
        .explain(first_attempt(night), Some(PURPOSE))?;
    teller.raw(&render::explanation(teller.terminal(), &explained))?;
    teller.expect(
        is_explained(&explained),
        "the explanation names the turn, the rule, the address's origin and the reasoning",
    )
}

fn is_explained(explained: &Explanation) -> bool {
    let is_open = |part: &Sealable| matches!(part, Sealable::Open { .. });
    let names_rule = explained
        .policies
        .iter()
        .any(|policy| policy.id == "no-churned-contacts");
    let target = explained
        .targets
        .iter()
        .find(|target| target.value == "jane.doe@former.example");
    let is_a_strangers = target.is_some_and(|target| {
        !target.evidence.is_empty() && target.evidence.iter().all(|evidence| !evidence.grounds)
    });
    is_open(&explained.turn) && is_open(&explained.reasoning) && names_rule && is_a_strangers
}

/// The entry of the first attempt.
fn first_attempt(night: &Night) -> &str {
    night
        .tried
        .first()
        .map(|tried| tried.entry_id.as_str())
        .unwrap_or_default()
}

/// Commands that work on what the demo leaves behind.
fn next_commands(home: &Path, profile: &Path, first: &str) -> Vec<String> {
    let (at, profile) = (
        shell(&home.display().to_string()),
        shell(&profile.display().to_string()),
    );
    let program = shell(&program());
    vec![
        format!("{program} serve --profile {profile} --data {at}/data"),
        format!("{program} explain {first} --purpose curious --profile {profile}"),
        format!("{program} entries --outcome rejected --profile {profile}"),
        format!(
            "{program} verify {at}/export --key @{at}/auditor/log.key --checkpoint {at}/auditor/morning"
        ),
    ]
}

/// This program as it was called: a path, unless it was found by its name.
fn program() -> String {
    let called = std::env::args().next().filter(|name| name.contains('/'));
    called.unwrap_or_else(|| "countersign".to_owned())
}

/// A command in lines that fit, where its options allow it.
fn folded(command: &str) -> String {
    if command.chars().count() + 2 <= FOLDED_COLUMNS {
        return format!("  {command}");
    }
    format!("  {}", command.replace(" --", " \\\n      --"))
}

/// A word as a shell reads it.
fn shell(word: &str) -> String {
    let is_plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    match is_plain {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Makes the directory that was named, or the first free one of the usual names.
fn make_directory(named: Option<&Path>) -> Result<PathBuf, CliError> {
    if let Some(path) = named {
        std::fs::create_dir(path).map_err(|error| {
            CliError::io(path, error)
                .hint("name a directory that does not exist yet; its parent must")
        })?;
        return Ok(path.to_owned());
    }
    for number in 1..=NAMES {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        let path = PathBuf::from(format!("./countersign-demo{suffix}"));
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => {
                return made
                    .map(|()| path.clone())
                    .map_err(|error| CliError::io(&path, error));
            }
        }
    }
    Err(
        CliError::usage("there are too many directories of earlier demos here")
            .hint("remove some, or name one with --dir"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_word() {
        assert_eq!(shell("./countersign-demo-2"), "./countersign-demo-2");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(folded("a --b c"), "  a --b c");
        let long = format!("a --b {}", "c".repeat(100));
        assert!(folded(&long).starts_with("  a \\\n      --b ccc"));
        assert_eq!(shell("it's; rm"), "'it'\\''s; rm'");
    }
}
