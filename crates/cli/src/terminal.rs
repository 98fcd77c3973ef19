//! Writing for people and for programs: data on stdout, everything else on stderr.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::error::CliError;

/// Narrowest and widest text that is laid out, in columns.
const WIDTHS: std::ops::RangeInclusive<u16> = 60..=100;

/// Where a command writes, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    json: bool,
    colour: bool,
    error_colour: bool,
}

/// What a stretch of text means. The words say it, too: colour is never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Yes.
    Good,
    /// Neither.
    Careful,
    /// No.
    Bad,
    /// Beside the point.
    Quiet,
    /// A heading.
    Strong,
}

impl Terminal {
    /// From the option `--json` and what the process is connected to.
    pub(crate) fn new(json: bool) -> Self {
        // https://no-color.org: any value but the empty one.
        let allowed = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            json,
            colour: allowed && !json && std::io::stdout().is_terminal(),
            error_colour: allowed && std::io::stderr().is_terminal(),
        }
    }

    /// Whether programs read the output.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Text for stdout in the colour of its tone.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        painted(self.colour, tone, text)
    }

    /// Writes a line of data.
    pub(crate) fn line(self, text: impl AsRef<str>) -> Result<(), CliError> {
        self.bytes(format!("{}\n", text.as_ref()).as_bytes())
    }

    /// Writes bytes of data as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            // Whoever read has seen enough; the exit code is still the answer's.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| CliError::usage(format!("stdout: {error}"))),
        }
    }

    /// Writes a document as JSON, on one line.
    pub(crate) fn json(self, document: &impl Serialize) -> Result<(), CliError> {
        let text =
            serde_json::to_string(document).map_err(|error| CliError::usage(error.to_string()))?;
        self.line(text)
    }

    /// Writes a document as JSON if that was asked for, else the text.
    pub(crate) fn answer(
        self,
        document: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        if self.json {
            self.json(document)
        } else {
            self.line(text())
        }
    }

    /// Says something to whoever sits there. It is no data.
    pub(crate) fn note(self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
    }

    /// Says what may help. A command that it names may hold what a server answered.
    pub(crate) fn hint(self, text: impl AsRef<str>) {
        self.note(format!(
            "{} {}",
            painted(self.error_colour, Tone::Strong, "hint:"),
            crate::render::plain(text.as_ref())
        ));
    }

    /// Says that something is dangerous.
    pub(crate) fn warn(self, text: impl AsRef<str>) {
        self.note(format!(
            "{} {}",
            painted(self.error_colour, Tone::Careful, "warning:"),
            text.as_ref()
        ));
    }

    /// Says that a command was not carried out.
    pub(crate) fn error(self, error: &CliError) {
        if self.json
            && let Some(problem) = error.problem()
        {
            let _ = self.json(problem);
        }
        self.note(format!(
            "{} {error}",
            painted(self.error_colour, Tone::Bad, "error:")
        ));
        if !self.json {
            for finding in error.findings() {
                self.note(crate::render::finding(finding));
            }
        }
        for hint in error.hints() {
            self.hint(hint);
        }
    }

    /// A bar on stderr for long work; nothing where nobody looks.
    pub(crate) fn progress(self, what: &'static str) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
        if let Ok(style) =
            ProgressStyle::with_template("{msg:10} [{bar:40}] {human_pos}/{human_len}  {eta}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.with_message(what)
    }

    /// A table without lines, as wide as the terminal allows.
    pub(crate) fn table<const N: usize>(self, header: [&str; N]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        match self.colour {
            true => table.enforce_styling(),
            false => table.force_no_tty(),
        };
        table.set_header(header.map(|name| self.cell(Tone::Quiet, name)));
        // The first column begins where other text does.
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        table
    }

    /// A cell of a table in the colour of its tone.
    pub(crate) fn cell(self, tone: Tone, text: &str) -> Cell {
        let cell = Cell::new(text);
        match tone {
            _ if !self.colour => cell,
            Tone::Good => cell.fg(Color::Green),
            Tone::Careful => cell.fg(Color::Yellow),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Quiet => cell.add_attribute(Attribute::Dim),
            Tone::Strong => cell.add_attribute(Attribute::Bold),
        }
    }
}

/// How wide text is laid out.
pub(crate) fn width() -> usize {
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(*WIDTHS.end());
    usize::from(columns.clamp(*WIDTHS.start(), *WIDTHS.end()))
}

fn painted(colour: bool, tone: Tone, text: &str) -> String {
    if !colour {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Good => "32",
        Tone::Careful => "33",
        Tone::Bad => "31",
        Tone::Quiet => "2",
        Tone::Strong => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
