//! `countersign reviews approve` and `reject`

use std::io::{BufRead as _, IsTerminal as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::entry::{Links, Review, ReviewAnswer};
use countersign_core::names::Origin;
use countersign_core::random::Random as _;
use countersign_keys::{KeyFileError, ReviewerKey, SystemRandom};
use countersign_note::VerifierKey;
use countersign_wire::{ReviewAnswered, ReviewRequest, ReviewShown};

use super::{AnswerArgs, checked, text};
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{outcome_tone, reasons};
use crate::terminal::Terminal;

/// How many random bytes a nonce has.
const NONCE_BYTES: usize = 24;

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Approve,
    Reject,
}

impl Word {
    fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }

    fn answer(self) -> ReviewAnswer {
        match self {
            Self::Approve => ReviewAnswer::Approve,
            Self::Reject => ReviewAnswer::Reject,
        }
    }
}

pub(super) fn run(
    args: &AnswerArgs,
    word: Word,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    // Before anything is opened: without a key nothing can be answered.
    let path = args.key.path(connection)?;
    let key = ReviewerKey::load_file(&path).map_err(unusable)?;
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(
            CliError::usage("nobody sits here who could be asked whether that is meant")
                .hint("look at it with `countersign reviews show`, and answer with --yes"),
        );
    }
    let client = connection.open(terminal)?.with_role(&["reviewer"])?;
    let answer = client.show_review(&args.decision)?;
    checked::check(&answer, &args.decision)?;
    // The data is what comes of it; what is shown is for whoever sits there.
    if !terminal.is_json() {
        terminal.note(text(terminal, &answer));
        terminal.note("");
    }
    if !args.yes && !is_meant(word, terminal)? {
        terminal.note("nothing was answered");
        return Ok(Exit::No);
    }
    let origin = match connection.profile()? {
        // What the profile says cannot be another log's that the server would like to have signed.
        Some(profile) => origin_of(&profile.log_key)?,
        None => parsed(&client.head()?.origin)?,
    };
    let request = signed(&key, &origin, &answer, word)?;
    let answered = client.review(&request)?;
    terminal.answer(&answered, || told(terminal, &answer, &answered))?;
    if !terminal.is_json() && answered.decision.outcome == "escalated" {
        terminal.note("the rules have changed since it was asked about: your answer is void, and it is asked about anew");
        let id = &answered.decision.entry_id;
        terminal.hint(format!("countersign reviews show {id}"));
    }
    Ok(match (word, answered.decision.outcome.as_str()) {
        (Word::Approve, "approved") | (Word::Reject, _) => Exit::Yes,
        _ => Exit::No,
    })
}

fn is_meant(word: Word, terminal: &Terminal) -> Result<bool, CliError> {
    let name = word.name();
    terminal.note(format!(
        "{name} this call? type `{name}`, anything else is no answer"
    ));
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| CliError::usage(format!("stdin: {error}")))?;
    Ok(line.trim() == name)
}

/// The answer, signed over what was shown. All that is signed is what [`checked::check`] has checked.
fn signed(
    key: &ReviewerKey,
    origin: &Origin,
    answer: &ReviewShown,
    word: Word,
) -> Result<ReviewRequest, CliError> {
    let shown = &answer.shown;
    let mut bytes = [0; NONCE_BYTES];
    SystemRandom.fill(&mut bytes);
    let nonce = URL_SAFE_NO_PAD.encode(bytes);
    let intent_ref = shown.intent_ref.as_deref().map(parsed).transpose()?;
    let body = Review {
        links: Links {
            review: Some(parsed(&shown.decision)?),
            ..Links::default()
        },
        call_ref: parsed(&shown.call_ref)?,
        policy_ref: parsed(&shown.policy_ref)?,
        intent_ref,
        shown_ref: parsed(&answer.shown_ref)?,
        answer: word.answer(),
        credential: parsed(&shown.reviewer)?,
        // The server's own words: its clock counts, not this machine's.
        expires_at: parsed(&shown.deadline)?,
        nonce: parsed(&nonce)?,
        signature: None,
    };
    let signature = key
        .sign(origin, &body)
        .map_err(|error| CliError::usage(error.to_string()))?;
    Ok(ReviewRequest {
        decision: shown.decision.clone(),
        answer: word.name().to_owned(),
        shown_ref: Some(answer.shown_ref.clone()),
        shown: None,
        expires_at: Some(shown.deadline.clone()),
        nonce: Some(nonce),
        signature: Some(signature.to_string()),
    })
}

fn told(terminal: &Terminal, answer: &ReviewShown, answered: &ReviewAnswered) -> String {
    let decision = &answered.decision;
    let outcome = terminal.paint(outcome_tone(&decision.outcome), &decision.outcome);
    format!(
        "{outcome}  {}  {}\n{}",
        crate::render::plain(&answer.shown.tool),
        decision.entry_id,
        reasons(&decision.reasons)
    )
}

/// The origin in the name of a log's key.
fn origin_of(key: &str) -> Result<Origin, CliError> {
    let key = VerifierKey::parse(key)
        .map_err(|error| CliError::usage(format!("the profile's `log_key`: {error}")))?;
    parsed(key.name().as_str())
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, CliError>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error: T::Err| CliError::usage(format!("the server answered: {error}")))
}

pub(super) fn unusable(error: KeyFileError) -> CliError {
    let is_missing = matches!(error, KeyFileError::Missing { .. });
    let own = CliError::usage(error.to_string());
    if is_missing {
        return own
            .hint("`countersign serve` makes one beside the profile on its first start; name another with --key")
            .hint("`countersign reviews key --new` makes one: its public half goes into a credential of role reviewer");
    }
    match error.hint() {
        Some(hint) => own.hint(hint),
        None => own,
    }
}
