//! What was found, and how it is said.

use serde::Serialize;

use crate::exit::Exit;
use crate::render::{plain, wrapped};
use crate::terminal::{Terminal, Tone};

/// How something fares. The word stands beside it: colour is never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Light {
    /// As it should be.
    Green,
    /// It works, and something about it is worth knowing.
    Yellow,
    /// A call can go undecided, or nothing works.
    Red,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    pub(super) light: Light,
    pub(super) says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
    /// The entry that it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entry_id: Option<String>,
}

/// Everything about one server or surface.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Section {
    pub(super) about: String,
    pub(super) checks: Vec<Check>,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(super) struct Diagnosis {
    /// What the ids of sessions and calls begin with that were made for this, in ledger and client.
    pub(super) probe: String,
    pub(super) light: Light,
    pub(super) sections: Vec<Section>,
}

impl Light {
    fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Green => Tone::Good,
            Self::Yellow => Tone::Careful,
            Self::Red => Tone::Bad,
        }
    }
}

impl Check {
    pub(super) fn green(says: impl Into<String>) -> Self {
        Self::new(Light::Green, says)
    }

    pub(super) fn yellow(says: impl Into<String>) -> Self {
        Self::new(Light::Yellow, says)
    }

    pub(super) fn red(says: impl Into<String>) -> Self {
        Self::new(Light::Red, says)
    }

    fn new(light: Light, says: impl Into<String>) -> Self {
        Self {
            light,
            says: says.into(),
            hint: None,
            entry_id: None,
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub(super) fn entry(self, entry_id: impl Into<String>) -> Self {
        Self {
            entry_id: Some(entry_id.into()),
            ..self
        }
    }
}

impl Section {
    pub(super) fn new(about: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            checks: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    fn light(&self) -> Light {
        let lights = self.checks.iter().map(|check| check.light);
        lights.max().unwrap_or(Light::Green)
    }
}

impl Diagnosis {
    pub(super) fn new(probe: String, sections: Vec<Section>) -> Self {
        let light = sections.iter().map(Section::light).max();
        Self {
            probe,
            light: light.unwrap_or(Light::Yellow),
            sections,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self.light {
            Light::Green | Light::Yellow => Exit::Yes,
            Light::Red => Exit::No,
        }
    }

    pub(super) fn text(&self, terminal: &Terminal) -> String {
        let mut lines = Vec::new();
        for section in &self.sections {
            lines.push(terminal.paint(Tone::Strong, &plain(&section.about)));
            for check in &section.checks {
                lines.extend(check_lines(check, terminal));
            }
            lines.push(String::new());
        }
        lines.push(self.verdict(terminal));
        lines.join("\n")
    }

    fn verdict(&self, terminal: &Terminal) -> String {
        let checks = self.sections.iter().flat_map(|section| &section.checks);
        let count = |light: Light| {
            let of_it = checks.clone().filter(|check| check.light == light);
            of_it.count()
        };
        let (red, yellow) = (count(Light::Red), count(Light::Yellow));
        let says = match self.light {
            Light::Green => "all of it is as it should be".to_owned(),
            Light::Yellow => format!("it works; {yellow} to know about"),
            Light::Red => format!("{red} to put right, {yellow} to know about"),
        };
        let word = terminal.paint(self.light.tone(), self.light.word());
        format!("{word}: {says}")
    }
}

fn check_lines(check: &Check, terminal: &Terminal) -> Vec<String> {
    const ROOM: &str = "           ";
    let word = format!("{:<8}", check.light.word());
    let text = wrapped(&check.says, ROOM);
    let mut lines = vec![format!(
        "  {} {}",
        terminal.paint(check.light.tone(), &word),
        text.trim_start()
    )];
    if let Some(entry_id) = &check.entry_id {
        let text = format!("{ROOM}entry {}", plain(entry_id));
        lines.push(terminal.paint(Tone::Quiet, &text));
    }
    if let Some(hint) = &check.hint {
        lines.push(wrapped(&format!("hint: {hint}"), ROOM));
    }
    lines
}
