//! What a server says when it starts: credentials once, the profile, the address, what to try.

use std::path::{Path, PathBuf};

use comfy_table::Cell;
use countersign_client::Token;
use countersign_host::{DataDir, Host};
use countersign_service::FirstCredential;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::commands::turn::LOCAL_ACTOR;
use crate::error::CliError;
use crate::profile::{Profile, ProfilePath, Saved};
use crate::render::trimmed;
use crate::terminal::Terminal;

/// What a first start made, and whether the tokens are shown.
pub(super) struct Announced {
    credentials: Vec<Made>,
    profile: Option<PathBuf>,
    is_hidden: bool,
}

/// What the profile of a new log says beside keys and tokens.
pub(super) struct NewProfile<'a> {
    pub(super) place: &'a ProfilePath,
    /// Where it goes if its usual place cannot be written or is another log's.
    pub(super) beside: PathBuf,
    pub(super) url: &'a str,
    pub(super) ca_file: Option<PathBuf>,
}

struct Made {
    id: String,
    name: String,
    roles: String,
    token: Token,
}

/// The tokens of a first start, as `--json` prints them.
#[derive(Serialize)]
struct Begun<'a> {
    event: &'static str,
    credentials: Vec<Shown<'a>>,
    profile: Option<&'a PathBuf>,
}

#[derive(Serialize)]
struct Shown<'a> {
    credential: &'a str,
    name: &'a str,
    roles: &'a str,
    token: Option<&'a str>,
}

/// Where a server listens, as `--json` prints it.
#[derive(Serialize)]
struct Listening<'a> {
    event: &'static str,
    url: &'a str,
    data: &'a Path,
}

impl Announced {
    /// Nothing was made: the log is not new.
    pub(super) fn nothing() -> Self {
        Self {
            credentials: Vec::new(),
            profile: None,
            is_hidden: true,
        }
    }

    /// Where the profile was written.
    pub(super) fn profile(&self) -> Option<&Path> {
        self.profile.as_deref()
    }

    fn is_first(&self) -> bool {
        !self.credentials.is_empty()
    }

    /// Shows the credentials, once.
    pub(super) fn show(&self, terminal: &Terminal) -> Result<(), CliError> {
        if !self.is_first() {
            return Ok(());
        }
        if terminal.is_json() {
            return terminal.json(&self.document());
        }
        let mut table = terminal.table(["role", "credential", "token"]);
        for made in &self.credentials {
            let token = if self.is_hidden {
                "(hidden)"
            } else {
                made.token.reveal()
            };
            table.add_row([Cell::new(&made.name), Cell::new(&made.id), Cell::new(token)]);
        }
        terminal.line(trimmed(&table.to_string()))?;
        if self.is_hidden {
            terminal.note("the tokens are in the profile only");
        } else {
            terminal.warn("these tokens are shown this once; whoever has one can act in its role");
        }
        Ok(())
    }

    fn document(&self) -> Begun<'_> {
        let credentials = self
            .credentials
            .iter()
            .map(|made| made.shown(self.is_hidden))
            .collect();
        Begun {
            event: "begun",
            credentials,
            profile: self.profile.as_ref(),
        }
    }
}

/// Writes the profile, so that commands work on this machine without pasting tokens.
pub(super) fn credentials(
    host: &Host,
    first: Vec<FirstCredential>,
    profile: NewProfile<'_>,
    hide_tokens: bool,
    terminal: &Terminal,
) -> Result<Announced, CliError> {
    let credentials: Vec<Made> = first.into_iter().map(Made::from).collect();
    let keys = host.service().public_keys();
    let (place, beside) = (profile.place, profile.beside);
    let profile = Profile {
        server: profile.url.to_owned(),
        log_key: keys.log_key.clone(),
        root_key: keys.root_key.clone(),
        ca_file: profile.ca_file,
        tokens: credentials
            .iter()
            .map(|made| (made.name.clone(), made.token.clone()))
            .collect(),
    };
    let saved = save(&profile, place, beside);
    let mut announced = Announced {
        credentials,
        profile: None,
        is_hidden: hide_tokens || is_journal(),
    };
    match saved {
        Ok((path, saved)) => {
            if !place.is_named() && path != place.path() && place.path().exists() {
                let (usual, path) = (place.path().display(), path.display());
                terminal.warn(format!("`{usual}` is another log's profile and stays; this log's is `{path}`: name it with --profile"));
            }
            if let Saved::Moved(aside) = saved {
                let (aside, path) = (aside.display(), path.display());
                terminal.warn(format!("`{path}` was another log's profile; it is now `{aside}`: name it with --profile"));
            }
            announced.profile = Some(path);
        }
        Err(error) => {
            // Tokens that are in no file must not be hidden, too.
            announced.is_hidden = false;
            terminal.warn(format!(
                "the profile could not be written, so keep the tokens below: {error}"
            ));
        }
    }
    Ok(announced)
}

/// Writes the profile to its place or, if that cannot be had or is taken and nobody named it, to
/// the other.
fn save(
    profile: &Profile,
    place: &ProfilePath,
    beside: PathBuf,
) -> Result<(PathBuf, Saved), CliError> {
    if !place.is_named() && place.path().exists() {
        return profile.save(&beside).map(|saved| (beside, saved));
    }
    match profile.save(place.path()) {
        Ok(saved) => Ok((place.path().to_owned(), saved)),
        Err(error) if place.is_named() => Err(error),
        Err(_) => profile.save(&beside).map(|saved| (beside, saved)),
    }
}

/// Says what `init` made.
pub(super) fn begun(
    data: &DataDir,
    announced: &Announced,
    terminal: &Terminal,
) -> Result<(), CliError> {
    announced.show(terminal)?;
    if terminal.is_json() {
        return Ok(());
    }
    told_places(data, announced, terminal);
    terminal.hint(format!(
        "countersign serve --data {}",
        data.path().display()
    ));
    Ok(())
}

/// Says where the server listens and, after a first start, what to try.
pub(super) fn listening(
    url: &str,
    data: &DataDir,
    announced: &Announced,
    terminal: &Terminal,
) -> Result<(), CliError> {
    announced.show(terminal)?;
    if terminal.is_json() {
        return terminal.json(&Listening {
            event: "listening",
            url,
            data: data.path(),
        });
    }
    if announced.is_first() {
        told_places(data, announced, terminal);
        tell_first_steps(announced, terminal);
    } else {
        terminal.note(format!("data directory `{}`", data.path().display()));
    }
    // Last, because whoever waits for this line may go on once it is there.
    terminal.line(format!("listening on {url}"))
}

fn tell_first_steps(announced: &Announced, terminal: &Terminal) {
    let option = announced.profile.as_deref().map(option);
    let option = option.unwrap_or_default();
    terminal.note("\ntry, in another terminal:");
    terminal.note(format!("  intent=$(countersign{option} turn \"Send billing@customer.example the refund confirmation for ticket #4821\")"));
    terminal.note(format!("  countersign{option} decide email.send '{{\"to\": [\"billing@customer.example\"], \"subject\": \"Your refund\", \"body\": \"It is on its way.\"}}' --intent $intent"));
    terminal.note(format!("  countersign{option} entries\n"));
}

/// The option with which commands find a profile.
fn option(path: &Path) -> String {
    match ProfilePath::usual() {
        Some(usual) if usual.path() == path => String::new(),
        _ => format!(" --profile {}", path.display()),
    }
}

/// Says which profile is of this log, and warns if commands would take another one by themselves.
pub(super) fn tell_profile(
    places: &[ProfilePath],
    host: &Host,
    url: &str,
    announced: &Announced,
    terminal: &Terminal,
) {
    // The first start has said it.
    if announced.is_first() || terminal.is_json() {
        return;
    }
    let keys = host.service().public_keys();
    let read = |place: &ProfilePath| place.read().ok().flatten();
    let is_own =
        |place: &&ProfilePath| read(place).is_some_and(|profile| profile.root_key == keys.root_key);
    match places.iter().find(is_own) {
        Some(place) => terminal.note(format!(
            "profile `{}`; try: countersign{} entries",
            place.path().display(),
            option(place.path())
        )),
        None => terminal.note("no profile of this log was found: commands need COUNTERSIGN_TOKEN"),
    }
    let Some(usual) = ProfilePath::usual() else {
        return;
    };
    let Some(profile) = read(&usual) else {
        return;
    };
    let what = match (profile.root_key == keys.root_key, profile.server == url) {
        (true, true) => return,
        (false, _) => "is of another log".to_owned(),
        (true, false) => format!("names another address, {}", profile.server),
    };
    terminal.warn(format!(
        "the profile `{}`, which commands take without --profile, {what}",
        usual.path().display()
    ));
}

/// Notes the server's present address in the profile, if the profile is of this log.
pub(super) fn update_server(
    place: &ProfilePath,
    host: &Host,
    url: &str,
    announced: &Announced,
    terminal: &Terminal,
) {
    let keys = host.service().public_keys();
    // A profile that cannot be read keeps nobody from serving; commands will say what is wrong.
    let Ok(Some(mut profile)) = place.read() else {
        return;
    };
    // The root key says which log it is: the log key may have been rotated.
    let is_current = profile.server == url && profile.log_key == keys.log_key;
    if profile.root_key != keys.root_key || is_current {
        return;
    }
    profile.log_key.clone_from(&keys.log_key);
    let before = std::mem::replace(&mut profile.server, url.to_owned());
    match profile.save(place.path()) {
        // What was written a moment ago did not know the port.
        Ok(_) if announced.is_first() => {}
        Ok(_) if before == url => terminal.note(format!(
            "the profile `{}` now holds the log's new key",
            place.path().display()
        )),
        Ok(_) => terminal.note(format!(
            "the profile `{}` now names {url} in place of {before}",
            place.path().display()
        )),
        Err(error) => terminal.warn(format!("the profile still names {before}: {error}")),
    }
}

fn told_places(data: &DataDir, announced: &Announced, terminal: &Terminal) {
    let dir = data.path().display();
    terminal.note(format!(
        "data directory `{dir}`; back up `{dir}/keys` apart from the database"
    ));
    terminal.note(format!(
        "root key `{dir}/keys/root.key`: take it offline, the server does not need it"
    ));
    if let Some(profile) = &announced.profile {
        terminal.note(format!(
            "profile `{}`: the countersign command finds server and tokens there",
            profile.display()
        ));
    }
    terminal.note(format!("the agent and the ingress may speak for {LOCAL_ACTOR} and {LOCAL_ACTOR}/…; others: countersign credential add"));
}

/// Whether stdout goes to the system's journal, where tokens would stay.
fn is_journal() -> bool {
    use std::io::IsTerminal as _;
    std::env::var_os("JOURNAL_STREAM").is_some_and(|value| !value.is_empty())
        && !std::io::stdout().is_terminal()
}

impl Made {
    fn shown(&self, is_hidden: bool) -> Shown<'_> {
        let Self {
            id,
            name,
            roles,
            token,
        } = self;
        Shown {
            credential: id,
            name,
            roles,
            token: (!is_hidden).then(|| token.reveal()),
        }
    }
}

impl From<FirstCredential> for Made {
    fn from(first: FirstCredential) -> Self {
        let roles: Vec<&str> = first.roles.iter().map(|role| role.name()).collect();
        Self {
            id: first.id.to_string(),
            name: first.name.unwrap_or_default(),
            roles: roles.join(","),
            token: Token::new(first.token.expose_secret()),
        }
    }
}
