//! The story from its beginning to what an auditor says of it.

use countersign_wire::{Explanation, FlagView, Sealable};
use serde_json::Value;

use super::audit::Auditor;
use super::place;
use super::story::{self, CUSTOMER, Cast};
use super::summary::{Mail, Night, Summary};
use super::teller::Teller;
use super::timeline;
use super::world::{self, World};
use crate::error::CliError;
use crate::render;
use crate::terminal::Tone;

/// Why the vault reader opens what is sealed.
const PURPOSE: &str = "looking into the night's flag";

/// Plays the story, part by part.
pub(super) fn play(world: &World, teller: &Teller<'_>) -> Result<Summary, CliError> {
    teller.raw(&teller.paint(Tone::Strong, "The 2 a.m. story, on a real server"))?;
    teller.say(&format!(
        "server {}, in {}",
        world.url(),
        world.home().display()
    ))?;

    teller.heading("1  In the evening")?;
    story::load_directory(world)?;
    teller.say(&format!(
        "The directory: {CUSTOMER} is active; jane.doe@former.example churned six months ago."
    ))?;
    let mut auditor = Auditor::appoint(world)?;
    let size = auditor.take_checkpoint(world, "evening")?;
    teller.say(&format!("An auditor is handed the log's public keys, and keeps a checkpoint of its {size} entries so far."))?;
    let mut cast = Cast::assemble(world)?;
    let evening = cast.evening(world, teller)?;

    teller.heading("2  02:13 (so the story goes; the clock below is real)")?;
    let night = cast.night(world, teller, &evening.standing)?;
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
    let commands = place::next_commands(world.home(), &profile, first_attempt(&night));
    teller.heading("6  Look further")?;
    commands
        .iter()
        .try_for_each(|command| teller.raw(&place::folded(command)))?;
    let keys = world.public_keys();
    Ok(Summary {
        directory: world.home().to_owned(),
        data: world.home().join("data"),
        profile,
        origin: world.origin(),
        log_key: keys.log_key.clone(),
        root_key: keys.root_key.clone(),
        approved: evening.approved + 1,
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
    teller.say(&format!(
        "A vault reader opens what is sealed, for a purpose that is recorded: \u{201c}{PURPOSE}\u{201d}."
    ))?;
    teller.raw("")?;
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
