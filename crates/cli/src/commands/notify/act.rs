//! `countersign notify remove`, `test` and `retry`

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use countersign_ledger::HeadFile;
use countersign_notify::address::SystemLookup;
use countersign_notify::limits::ATTEMPT;
use countersign_notify::{Asked, Outcome, SinkName, State, send_test};
use serde::Serialize;

use super::At;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::Terminal;

/// How long a running server has to take a request up before nothing is said of it.
const TAKEN_UP: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The sink's name
    name: String,
    #[command(flatten)]
    at: At,
}

/// The settings are taken as they stand: a sink that a server has not taken up yet can be tried.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The sink's name
    name: String,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["id", "all"])))]
pub(crate) struct RetryArgs {
    /// The message's id, as `countersign notify dead` lists it
    id: Option<String>,
    /// All dead letters
    #[arg(long)]
    all: bool,
    /// Only for this sink
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    #[command(flatten)]
    at: At,
}

/// What came of a test, as `--json` prints it.
#[derive(Serialize)]
struct Tested<'a> {
    sink: &'a str,
    arrived: bool,
    why: Option<&'a str>,
}

/// What is sent again, as `--json` prints it.
#[derive(Serialize)]
struct Retried {
    sink: String,
    messages: usize,
    /// Whether a running server has taken it up.
    taken_up: bool,
}

pub(super) fn remove(args: &RemoveArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let (_, dir) = args.at.dir()?;
    dir.config().remove(&args.name)?;
    terminal.note(format!(
        "`{}` is told of no flag any more",
        plain(&args.name)
    ));
    if terminal.is_json() {
        terminal.json(&serde_json::json!({"removed": args.name}))?;
    }
    Ok(Exit::Yes)
}

pub(super) fn test(args: &TestArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let (root, dir) = args.at.dir()?;
    let config = dir.config().read()?;
    let sink = config.sink(&args.name)?;
    let outcome = send_test(sink, &origin(&root), ATTEMPT, &SystemLookup);
    let why = match &outcome {
        Outcome::Delivered => None,
        Outcome::Failed { why, .. } | Outcome::Refused(why) | Outcome::Gone(why) => {
            Some(why.as_str())
        }
    };
    let (name, place) = (sink.name.as_str(), plain(&sink.place()));
    if terminal.is_json() {
        terminal.json(&Tested {
            sink: name,
            arrived: why.is_none(),
            why,
        })?;
    } else {
        terminal.line(match why {
            None => format!("`{name}` took it ({place})"),
            Some(why) => format!("`{name}` did not take it ({place}): {}", plain(why)),
        })?;
    }
    Ok(if why.is_none() { Exit::Yes } else { Exit::No })
}

pub(super) fn retry(args: &RetryArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let (_, dir) = args.at.dir()?;
    let config = dir.config().read()?;
    if let Some(name) = &args.sink {
        config.sink(name)?;
    }
    let state = State::read(&dir.state())?.unwrap_or_default();
    let mut asked = Vec::new();
    for (name, sink) in &state.sinks {
        if args.sink.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        let is_meant = |id: &str| args.id.as_ref().is_none_or(|wanted| wanted == id);
        let messages = sink.dead.iter().filter(|dead| is_meant(&dead.id)).count();
        let is_given_up = args.all && sink.disabled.is_some();
        if let Some(name) = SinkName::parse(name)
            && (messages > 0 || is_given_up)
        {
            let id = args.id.clone();
            asked.push((Asked { sink: name, id }, messages));
        }
    }
    if asked.is_empty() {
        return match &args.id {
            Some(id) => Err(
                CliError::usage(format!("`{}` is no dead letter", plain(id)))
                    .hint("countersign notify dead"),
            ),
            None => {
                terminal.note("nothing was given up");
                Ok(Exit::Yes)
            }
        };
    }
    for (asked, _) in &asked {
        dir.ask(asked)?;
    }
    let begun = Instant::now();
    while asked.iter().any(|(asked, _)| dir.is_asked(asked)) && begun.elapsed() < TAKEN_UP {
        std::thread::sleep(Duration::from_millis(50));
    }
    for (asked, messages) in &asked {
        let document = Retried {
            sink: asked.sink.to_string(),
            messages: *messages,
            taken_up: !dir.is_asked(asked),
        };
        if terminal.is_json() {
            terminal.json(&document)?;
        }
        let when = match document.taken_up {
            true => "now",
            false => "once a server runs",
        };
        terminal.note(format!(
            "`{}`: {messages} messages are sent again {when}",
            document.sink
        ));
    }
    Ok(Exit::Yes)
}

/// The log's origin, if the head file says it.
fn origin(root: &Path) -> String {
    let file = HeadFile::open(&root.join("head")).ok().flatten();
    let origin = file.map(|file| file.newest().checkpoint.origin().to_owned());
    origin.unwrap_or_default()
}
