//! `countersign serve` and `countersign init`

mod announce;
mod as_user;
mod first;
mod logging;
pub(crate) mod notify;
mod publishing;
mod reviewer;
mod running;
mod settings;
mod signals;
mod successor;

pub(crate) use logging::start as start_logging;
pub(crate) use settings::{InitArgs, LogFormat, LogLevel, LogSettings, ServeArgs};
pub(crate) use signals::Signals;

use std::path::PathBuf;

use countersign_host::{DataDir, Host, HostError};
use countersign_keys::RootKey;

use crate::connection::{ConnectionArgs, DEFAULT_SERVER};
use crate::error::CliError;
use crate::exit::Exit;
use crate::profile::ProfilePath;
use crate::terminal::Terminal;
use announce::{Announced, NewProfile};
use reviewer::FirstReviewer;
use settings::{FirstStart, Settings};

/// Serves until a signal, or until the ledger stops.
pub(crate) fn run(
    args: &ServeArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if let Some(name) = &args.user {
        return Err(as_user::become_user(name));
    }
    let settings = Settings::gather(args)?;
    logging::start(&settings.log)?;
    let data = DataDir::new(settings.first.data()?);
    let profile = profile_place(connection, &data);
    if !data.is_begun() {
        running::check_free(settings.server.listen)?;
    }
    let url = settings.client_url();
    let new_profile = NewProfile {
        place: &profile,
        beside: beside(&data),
        url: &url,
        ca_file: connection.ca_file(),
    };
    let (host, announced) = open(&data, &settings.first, new_profile, terminal)?;
    let publisher = settings.publishing.start(&host, &data, terminal);
    let publisher = publisher.map_err(|error| not_served(error, &announced, terminal))?;
    let notifier = notify::start(&host, &data);
    let notifier = notifier.map_err(|error| not_served(error, &announced, terminal))?;
    let bound = running::Bound::new(&host, settings.server.clone())
        .map_err(|error| not_served(error, &announced, terminal))?;
    let url = settings.url_of(&bound);
    let places = [profile, ProfilePath::named(&beside(&data))];
    for place in &places {
        announce::update_server(place, &host, &url, &announced, terminal);
    }
    announce::tell_profile(&places, &host, &url, &announced, terminal);
    announce::listening(&url, &data, &announced, terminal)?;
    bound.run(&host, (publisher, notifier), terminal)
}

/// Makes the data directory and says how to go on.
pub(crate) fn init(
    args: &InitArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let data = DataDir::new(args.first.data()?);
    if data.is_begun() {
        return Err(HostError::Exists(data.path().to_owned()).into());
    }
    let profile = profile_place(connection, &data);
    let new_profile = NewProfile {
        place: &profile,
        beside: beside(&data),
        url: DEFAULT_SERVER,
        ca_file: connection.ca_file(),
    };
    let (host, announced) = match &args.successor_of {
        None => open(&data, &args.first, new_profile, terminal)?,
        Some(old) => {
            let lost = args.i_have_lost_data;
            let reviewer = FirstReviewer::of(new_profile.place)?;
            let (host, credentials) =
                successor::begin(&data, old, lost, (&args.first, &reviewer), terminal)?;
            let hidden = args.first.hide_tokens;
            let announced =
                announce::credentials(&host, credentials, new_profile, hidden, terminal)?;
            reviewer.keep(announced.profile(), data.path(), terminal);
            (host, announced)
        }
    };
    host.service().close()?;
    drop(host);
    if args.ml_dsa {
        let root = RootKey::load(&data.keys()).map_err(HostError::Key)?;
        data.set_ml_dsa(true, &root)?;
    }
    announce::begun(&data, &announced, terminal)?;
    Ok(Exit::Yes)
}

/// Opens the log of a data directory, or begins one if there is none.
fn open(
    data: &DataDir,
    first: &FirstStart,
    profile: NewProfile<'_>,
    terminal: &Terminal,
) -> Result<(Host, Announced), CliError> {
    if data.is_begun() {
        let host = data.open()?;
        first.warn_of_unused(&host, terminal);
        return Ok((host, Announced::nothing()));
    }
    let reviewer = FirstReviewer::of(profile.place)?;
    let (host, credentials) = first::begin(data, first, &reviewer)?;
    // Whatever comes after this, the tokens are not lost.
    let announced =
        announce::credentials(&host, credentials, profile, first.hide_tokens, terminal)?;
    reviewer.keep(announced.profile(), data.path(), terminal);
    Ok((host, announced))
}

/// Where the profile is written: the usual place, or, for a service without a home, beside the data.
fn profile_place(connection: &ConnectionArgs, data: &DataDir) -> ProfilePath {
    connection
        .profile_path()
        .unwrap_or_else(|| ProfilePath::named(&beside(data)))
}

/// Beside the data, by a path that is the same from everywhere.
fn beside(data: &DataDir) -> PathBuf {
    let path = data.path().join("profile.toml");
    std::path::absolute(&path).unwrap_or(path)
}

/// The server does not listen, but the log was begun: the tokens are shown all the same.
fn not_served(error: CliError, announced: &Announced, terminal: &Terminal) -> CliError {
    if let Err(second) = announced.show(terminal) {
        terminal.error(&second);
    }
    error
}
