//! Telling the story in the terminal, and holding it against what was told.

use countersign_wire::DecisionAnswer;

use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::{Terminal, Tone};

/// How wide the description of a call is.
const CALL_COLUMNS: usize = 40;

/// Who tells the story; to programs nothing but the end.
pub(super) struct Teller<'a> {
    terminal: &'a Terminal,
}

impl<'a> Teller<'a> {
    pub(super) fn new(terminal: &'a Terminal) -> Self {
        Self { terminal }
    }

    /// A line of text in the colour of its tone.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        self.terminal.paint(tone, text)
    }

    /// The terminal, for tables.
    pub(super) fn terminal(&self) -> &Terminal {
        self.terminal
    }

    /// Begins a part of the story.
    pub(super) fn heading(&self, text: &str) -> Result<(), CliError> {
        self.raw("")?;
        self.raw(&self.paint(Tone::Strong, text))
    }

    /// Says something, in lines that fit.
    pub(super) fn say(&self, text: &str) -> Result<(), CliError> {
        self.raw(&render::wrapped(text, "  "))
    }

    /// Says what somebody wrote.
    pub(super) fn quote(&self, text: &str) -> Result<(), CliError> {
        let text = render::wrapped(&format!("\u{201c}{text}\u{201d}"), "      ");
        text.lines()
            .try_for_each(|line| self.raw(&self.paint(Tone::Quiet, line)))
    }

    /// Says what was decided about a call.
    pub(super) fn outcome(&self, answer: &DecisionAnswer, call: &str) -> Result<(), CliError> {
        let tone = render::outcome_tone(&answer.outcome);
        let reasons: Vec<&str> = answer
            .reasons
            .iter()
            .map(|reason| reason.id.as_str())
            .collect();
        let outcome = self.paint(tone, &format!("{:<9}", answer.outcome));
        let reasons = self.paint(Tone::Quiet, &reasons.join(", "));
        self.raw(&format!("    {outcome}  {call:<CALL_COLUMNS$}  {reasons}"))
    }

    /// Says what the mail tool refused.
    pub(super) fn refusal(&self, reason: &str) -> Result<(), CliError> {
        let short = reason.split_once(": ").map_or(reason, |(short, _)| short);
        let refused = self.paint(Tone::Bad, "refused  ");
        self.raw(&format!(
            "    {refused}  {:<CALL_COLUMNS$}  {}",
            "by the mail tool",
            self.paint(Tone::Quiet, short)
        ))
    }

    /// Writes text as it is, unless programs read.
    pub(super) fn raw(&self, text: &str) -> Result<(), CliError> {
        if self.terminal.is_json() {
            return Ok(());
        }
        self.terminal.line(text)
    }

    /// The story must have gone as it is told.
    pub(super) fn expect(&self, holds: bool, what: &str) -> Result<(), CliError> {
        match holds {
            true => Ok(()),
            false => Err(CliError::usage(format!("the story did not go as it is told: expected that {what}"))
                .exiting(Exit::No)
                .hint("this is a defect of Countersign; the directory that the demo made is left as it is")),
        }
    }
}
