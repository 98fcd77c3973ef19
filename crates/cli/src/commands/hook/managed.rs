//! `countersign hook install --managed`: the hooks in the machine's managed settings, put there by
//! root, with credentials in the home of the user whose assistant it is.
//!
//! Root reads and writes nothing in that home: what is done there, this program does as the user, so
//! that no link which the user puts in the way leads root anywhere.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use countersign_hooks::claude::settings::{self, Changed, Scope, Told, Wanted};
use countersign_hooks::limits::CONFIG_BYTES;
use countersign_hooks::{Config, config_below, is_of_root, state_below};

use super::install::{
    Done, InstallArgs, UninstallArgs, hook_error, installed_text, uninstalled_text,
};
use super::{Surface, grant};
use crate::commands::doctor::process;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;
use crate::user::User;

/// How long reading or writing one small file as the user may take.
const OWN_LIMIT: Duration = Duration::from_secs(20);

/// What is done with the own configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deed {
    /// Its text on stdout; nothing if it is not there
    Read,
    /// Its text by stdin
    Write,
    /// Take it away
    Remove,
}

/// What root has done by this program as the user.
#[derive(Debug, Args)]
pub(crate) struct OwnArgs {
    surface: Surface,
    deed: Deed,
}

/// Done as the user.
pub(super) fn own(args: &OwnArgs) -> Result<Exit, CliError> {
    let file = args.surface.config_file()?;
    match args.deed {
        Deed::Read => {
            if let Some(config) = Config::find(&file).map_err(hook_error)? {
                print!("{}", text(&config)?);
            }
        }
        Deed::Write => {
            let mut text = String::new();
            let read = std::io::stdin()
                .take(CONFIG_BYTES)
                .read_to_string(&mut text);
            read.map_err(|error| CliError::usage(format!("stdin: {error}")))?;
            let config = Config::parse(&text).map_err(CliError::usage)?;
            config.write(&file).map_err(hook_error)?;
        }
        Deed::Remove => match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CliError::io(&file, error));
            }
            _ => {}
        },
    }
    Ok(Exit::Yes)
}

pub(super) fn install(
    args: &InstallArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let place = Place::of(args.surface, args.scope.managed_file())?;
    let (name, user) = user_of(
        args.for_user.as_deref(),
        "hook install claude-code --managed",
    )?;
    is_of_root(&place.program).map_err(|why| {
        CliError::usage(format!(
            "the hooks would run a program that root alone must be able to change: {why}"
        ))
        .hint("install countersign as root, such as into /usr/local/bin")
    })?;
    let standing = settings::inspect(&place.settings).map_err(hook_error)?;
    let opened = connection.open(terminal)?;
    let server = opened.public().server().clone();
    if let Some(other) = standing.server().filter(|other| *other != server.as_str()) {
        return Err(CliError::usage(format!(
            "the managed hooks are for the server `{other}`, and this is `{server}`"
        ))
        .hint("`countersign hook uninstall claude-code --managed` takes them out"));
    }
    let admin = opened.with_role(&["admin"])?;
    let known = user.own(args.surface, Deed::Read, "", &place.program)?;
    let known = match known.is_empty() {
        true => None,
        false => Config::parse(&known).ok(),
    };
    let known = known.filter(|it| it.server == server && it.more_actors == args.more_actors);
    let kept = match known {
        Some(config) if !args.renew && grant::are_good(opened.public(), &config.tokens)? => {
            Some(grant::Granted::of(&config))
        }
        _ => None,
    };
    let is_new = kept.is_none();
    let granted = match kept {
        Some(kept) => kept,
        None => grant::grant(&admin, args.surface, &args.actors(), Some(name))?,
    };
    let state = state_below(&user.home);
    let config = args.config(server, state, format!("user:{name}"), connection, granted)?;
    user.own(args.surface, Deed::Write, &text(&config)?, &place.program)?;
    // Not before the new ones are in the file: a hook that runs meanwhile has one or the other.
    let revoked = match is_new {
        true => grant::revoke_of(&admin, args.surface, name, &config.credentials)?,
        false => 0,
    };
    let profile = connection.profile()?;
    let log_key = profile.filter(|profile| profile.server == config.server.as_str());
    let wanted = Wanted {
        binary: place.program.clone(),
        config: Told::OfUser {
            server: config.server.to_string(),
            log_key: log_key.map(|profile| profile.log_key),
        },
        review_wait_s: config.review_wait_s,
    };
    let changed = settings::install(&place.settings, &wanted).map_err(hook_error)?;
    let file = config_below(&user.home, args.surface.name());
    let mut done = Done::of(
        "installed",
        args.surface,
        &file,
        Some(&place.settings),
        &changed,
    );
    done.granted = is_new;
    done.revoked = revoked;
    done.server = Some(config.server.to_string());
    terminal.answer(&done, || installed_text(&done, &config))?;
    if !terminal.is_json() {
        for finding in settings::inspect(&place.settings)
            .map_err(hook_error)?
            .findings
        {
            terminal.warn(finding.text);
        }
        terminal.warn("every user of this machine has these hooks: whoever has no credentials has all calls blocked");
        terminal.hint(format!(
            "as {name}: `countersign doctor`, and a new session of the assistant"
        ));
    }
    Ok(Exit::Yes)
}

pub(super) fn uninstall(
    args: &UninstallArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let place = Place::of(args.surface, args.scope.managed_file())?;
    let mut revoked = 0;
    let mut file = PathBuf::from("~").join(config_below(Path::new(""), args.surface.name()));
    let changed = if args.revoke {
        let (name, user) = user_of(
            args.for_user.as_deref(),
            "hook uninstall claude-code --managed --revoke",
        )?;
        let admin = connection.open(terminal)?.with_role(&["admin"])?;
        revoked = grant::revoke_of(&admin, args.surface, name, &BTreeMap::new())?;
        user.own(args.surface, Deed::Remove, "", &place.program)?;
        file = config_below(&user.home, args.surface.name());
        // Others may have credentials, and without the hooks nothing judges their calls.
        Changed::Nothing
    } else {
        settings::uninstall(&place.settings).map_err(hook_error)?
    };
    let settings = (!args.revoke).then_some(place.settings.as_path());
    let mut done = Done::of("uninstalled", args.surface, &file, settings, &changed);
    done.revoked = revoked;
    terminal.answer(&done, || match args.revoke {
        true => format!(
            "{revoked} credentials were revoked, and {} is gone; the hooks stay for the others",
            file.display()
        ),
        false => uninstalled_text(&done),
    })?;
    Ok(Exit::Yes)
}

/// What root works on.
struct Place {
    settings: PathBuf,
    program: PathBuf,
}

impl Place {
    fn of(surface: Surface, file: Option<&Path>) -> Result<Self, CliError> {
        if surface != Surface::ClaudeCode {
            return Err(CliError::usage("only claude-code has managed settings"));
        }
        if !rustix::process::geteuid().is_root() {
            return Err(CliError::usage(
                "the machine's managed settings are root's, so root has to do this",
            )
            .hint(
                "sudo countersign hook install claude-code --managed --for USER --profile FILE",
            ));
        }
        let usual = settings::path(Scope::Managed, Path::new("/"));
        let settings = file.map(Path::to_owned).or(usual);
        let program = std::env::current_exe()
            .map_err(|error| CliError::usage(format!("this program's own path: {error}")))?;
        Ok(Self {
            settings: settings
                .ok_or_else(|| CliError::usage("there are no managed settings here"))?,
            program,
        })
    }
}

fn user_of<'a>(name: Option<&'a str>, command: &str) -> Result<(&'a str, User), CliError> {
    let name = name.ok_or_else(|| {
        CliError::usage("it is not said whose assistant it is")
            .hint(format!("sudo countersign {command} --for USER"))
    })?;
    let user = User::find(name)?;
    match user.uid {
        0 => Err(CliError::usage(format!(
            "`{name}` is root, who changes the managed settings: name the user whose assistant it is"
        ))),
        _ => Ok((name, user)),
    }
}

impl User {
    /// Does something with the user's own configuration, as the user.
    fn own(
        &self,
        surface: Surface,
        deed: Deed,
        stdin: &str,
        program: &Path,
    ) -> Result<String, CliError> {
        let deed = deed.to_possible_value();
        let deed = deed
            .as_ref()
            .map_or("", clap::builder::PossibleValue::get_name);
        let words = ["hook", "own", surface.name(), deed].map(OsStr::new);
        let command = self.command(program, &words);
        let failed = |why: &str| {
            CliError::usage(format!(
                "in the home {} of the user {}: {}",
                self.home.display(),
                self.uid,
                crate::render::plain(why.trim())
            ))
        };
        let ran =
            process::run(command, stdin.as_bytes(), OWN_LIMIT).map_err(|error| failed(&error))?;
        match ran.code {
            Some(0) => Ok(ran.stdout),
            _ => Err(failed(&ran.stderr)),
        }
    }
}

fn text(config: &Config) -> Result<String, CliError> {
    config
        .text()
        .map_err(|error| CliError::usage(format!("the configuration: {error}")))
}
