//! What was guessed, as a table and as a page that a person ticks off.

use countersign_core::document::{TargetDeclaration, ToolManifest};
use countersign_judge::type_name;
use countersign_observe::ListedGuess;
use serde::Serialize;

use super::listed::Listed;
use crate::render::{plain, wrapped};
use crate::terminal::{Terminal, Tone};

/// The page that says what was guessed.
pub(super) const PAGE: &str = "GUESSES.md";

/// What was guessed of one tool.
#[derive(Debug, Serialize)]
pub(super) struct Guessed {
    tool: String,
    /// None if no manifest could be made.
    action: Option<String>,
    effect: Option<&'static str>,
    why: String,
    acts_on: Vec<String>,
    notes: Vec<String>,
}

impl Guessed {
    pub(super) fn of(guess: &ListedGuess) -> Self {
        let manifest = guess.manifest.as_ref();
        Self {
            tool: guess.tool.clone(),
            action: manifest.map(|manifest| manifest.action.to_string()),
            effect: manifest.map(|manifest| manifest.effect.name()),
            why: guess.why.clone(),
            acts_on: manifest.map(acts_on).unwrap_or_default(),
            notes: guess.notes.clone(),
        }
    }

    /// A row of the page.
    pub(super) fn row(&self) -> String {
        let shown = |text: &str| plain(text).replace('|', "\\|").replace('`', "'");
        let acts_on: Vec<String> = self.acts_on.iter().map(|text| shown(text)).collect();
        let notes: Vec<String> = self.notes.iter().map(|text| shown(text)).collect();
        format!(
            "| [ ] | `{}` | {} | {} | {} | {} | {} |\n",
            shown(&self.tool),
            self.action
                .as_deref()
                .map_or_else(|| "none".to_owned(), |action| format!("`{action}`")),
            self.effect.unwrap_or("every call is rejected"),
            shown(&self.why),
            acts_on.join("<br>"),
            notes.join("<br>"),
        )
    }
}

fn acts_on(manifest: &ToolManifest) -> Vec<String> {
    let one = |target: &TargetDeclaration| {
        let optional = if target.optional { ", if given" } else { "" };
        format!("{} ({}{optional})", target.at, type_name(target.kind))
    };
    manifest.targets.iter().map(one).collect()
}

/// The page.
pub(super) fn page(listed: &Listed, guesses: &[Guessed]) -> String {
    let mut out = format!(
        "# What was guessed\n\n\
         `countersign manifest from-mcp` made this bundle from what the server `{}` says of its tools (MCP {}).\n\
         Nobody has looked at it yet. Tick off what you have confirmed: actions and effects in `tools/`, what is acted\n\
         on, and the rules in `policies/`. A server's own hints (`readOnlyHint`, `destructiveHint`) are claims; they made\n\
         guesses stricter only. Each manifest holds the digest of its tool's definition (`pinned`): where the server\n\
         lists another one later, calls are rejected until you run the command again with `--update`. Arguments that a\n\
         schema does not declare are refused, also where the server would take them.\n\n{HEADER}",
        plain(&listed.server).replace('`', "'"),
        plain(&listed.revision),
    );
    for guess in guesses {
        out.push_str(&guess.row());
    }
    if listed.unreadable > 0 {
        out.push_str(&format!(
            "\n{} of the server's definitions cannot be read, or take a name that something else is judged by; their calls\n\
             are rejected.\n",
            listed.unreadable
        ));
    }
    out
}

/// The head of the page's table.
pub(super) const HEADER: &str = "\
| confirmed | tool | action | effect | why | acts on | to be known |\n\
| --- | --- | --- | --- | --- | --- | --- |\n";

/// The table for the terminal.
pub(super) fn table(terminal: Terminal, guesses: &[Guessed]) -> String {
    let mut table = terminal.table(["tool", "action", "effect", "acts on"]);
    for guess in guesses {
        let (tone, effect) = match guess.effect {
            None => (Tone::Bad, "rejected"),
            Some("read") => (Tone::Good, "read"),
            Some("irreversible") => (Tone::Bad, "irreversible"),
            Some(other) => (Tone::Careful, other),
        };
        table.add_row(vec![
            terminal.cell(Tone::Strong, &plain(&guess.tool)),
            terminal.cell(Tone::Quiet, guess.action.as_deref().unwrap_or("none")),
            terminal.cell(tone, effect),
            terminal.cell(Tone::Quiet, &plain(&guess.acts_on.join(" "))),
        ]);
    }
    let mut out = table.to_string();
    for guess in guesses {
        // Of most it is said in the page only: what is guessed to be a read is told why.
        for note in guess.notes.iter().filter(|_| guess.effect.is_none()) {
            let text = format!("{}: {note}", guess.tool);
            out.push_str(&format!("\n{}", wrapped(&plain(&text), "")));
        }
    }
    out
}
