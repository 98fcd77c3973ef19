//! `countersign hook install` and `uninstall`

use std::path::{Path, PathBuf};

use clap::Args;
use countersign_client::ServerUrl;
use countersign_hooks::claude::settings::{self, Changed, Scope, Told, Wanted};
use countersign_hooks::limits::{REQUEST_TIMEOUT_S, REVIEW_WAIT_MAX_S, TURN_TTL_S};
use countersign_hooks::{Config, SdkPrompts, config_file, state_home};
use serde::Serialize;

use super::{Surface, grant, managed};
use crate::commands::turn::login;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// What to hook into
    pub(super) surface: Surface,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// How long a call waits for a reviewer, such as 50s; at most 15m [default: 50s, for agent-hooks 2s]
    #[arg(long, value_name = "TIME", value_parser = units::seconds)]
    review_wait: Option<u64>,
    /// How long a prompt counts, such as 4h [default: 4h]
    #[arg(long, value_name = "TIME", value_parser = units::seconds)]
    turns_count: Option<u64>,
    /// With --managed: the user whose assistant it is
    #[arg(long = "for", value_name = "USER", requires = "managed")]
    pub(super) for_user: Option<String>,
    /// Take prompts that a program gives through the SDK for the person's own words: only where it passes on what a person typed, and nothing else
    #[arg(long)]
    trust_sdk_prompts: bool,
    /// Another actor that may act on the prompts, such as a relay's; can be given more than once
    #[arg(long = "also", value_name = "ACTOR")]
    pub(super) more_actors: Vec<String>,
    /// Grant new credentials, and revoke those that stand
    #[arg(long)]
    pub(super) renew: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallArgs {
    /// What to take out
    pub(super) surface: Surface,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// With --managed and --revoke: the user whose credentials end
    #[arg(long = "for", value_name = "USER", requires = "managed")]
    pub(super) for_user: Option<String>,
    /// Revoke the hook's credentials, too, and remove their file: for every place that it is installed in
    #[arg(long)]
    pub(super) revoke: bool,
}

#[derive(Debug, Args)]
pub(super) struct ScopeArgs {
    /// The user's settings, for all projects (default)
    #[arg(long, group = "place")]
    user: bool,
    /// The settings of the project in the current directory, which everybody shares who has it
    #[arg(long, group = "place")]
    project: bool,
    /// The machine's managed settings, which only root writes and nobody else switches off
    #[arg(long, group = "place")]
    managed: bool,
    /// Another file in place of the machine's managed settings, for tests
    #[arg(long, value_name = "FILE", hide = true)]
    managed_file: Option<PathBuf>,
}

/// What was done, as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Done<'a> {
    event: &'static str,
    surface: &'static str,
    config: &'a Path,
    pub(super) server: Option<String>,
    settings: Option<&'a Path>,
    changed: bool,
    backup: Option<&'a Path>,
    pub(super) granted: bool,
    pub(super) revoked: usize,
}

pub(super) fn install(
    args: &InstallArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if args.scope.managed {
        return managed::install(args, connection, terminal);
    }
    let file = args.surface.config_file()?;
    let settings = args.scope.settings(args.surface)?;
    if let Some(settings) = &settings {
        // Before anything is granted: a file that cannot be read stays as it is.
        settings::inspect(settings).map_err(hook_error)?;
    }
    let (config, granted, revoked) = configured(args, &file, connection, terminal)?;
    let changed = match &settings {
        None => Changed::Nothing,
        Some(settings) => {
            let binary = std::env::current_exe()
                .map_err(|error| CliError::usage(format!("this program's own path: {error}")))?;
            let wanted = Wanted {
                binary,
                config: Told::File(file.clone()),
                review_wait_s: config.review_wait_s,
            };
            settings::install(settings, &wanted).map_err(hook_error)?
        }
    };
    let done = Done {
        granted,
        revoked,
        server: Some(config.server.to_string()),
        ..Done::of(
            "installed",
            args.surface,
            &file,
            settings.as_deref(),
            &changed,
        )
    };
    terminal.answer(&done, || installed_text(&done, &config))?;
    if !terminal.is_json() {
        advise(args, settings.as_deref(), &file, terminal)?;
    }
    Ok(Exit::Yes)
}

pub(super) fn uninstall(
    args: &UninstallArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if args.scope.managed {
        return managed::uninstall(args, connection, terminal);
    }
    let file = args.surface.config_file()?;
    let settings = args.scope.settings(args.surface)?;
    let changed = match &settings {
        None => Changed::Nothing,
        Some(settings) => settings::uninstall(settings).map_err(hook_error)?,
    };
    let mut revoked = 0;
    if args.revoke
        && let Some(config) = Config::find(&file).map_err(hook_error)?
    {
        let admin = connection.open(terminal)?.with_role(&["admin"])?;
        if admin.server() != &config.server {
            return Err(CliError::usage(format!(
                "the hook's credentials are of `{}`, and this is `{}`",
                config.server,
                admin.server()
            ))
            .hint("name the server with --server, and its profile with --profile"));
        }
        revoked = grant::revoke(&admin, &config)?;
        std::fs::remove_file(&file).map_err(|error| CliError::io(&file, error))?;
    }
    let done = Done {
        revoked,
        ..Done::of(
            "uninstalled",
            args.surface,
            &file,
            settings.as_deref(),
            &changed,
        )
    };
    terminal.answer(&done, || uninstalled_text(&done))?;
    if !terminal.is_json() && !args.revoke && file.exists() {
        terminal.hint(format!(
            "the hook's credentials stay in {}; --revoke ends them, for every place that it is installed in",
            file.display()
        ));
    }
    Ok(Exit::Yes)
}

/// The configuration, with credentials of its own; whether they are new, and how many were revoked.
fn configured(
    args: &InstallArgs,
    file: &Path,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<(Config, bool, usize), CliError> {
    let opened = connection.open(terminal)?;
    let server = opened.public().server().clone();
    let standing = Config::find(file).map_err(hook_error)?;
    let standing = standing.filter(|config| config.server == server);
    let actors = args.actors();
    let fits = |config: &Config| config.more_actors == args.more_actors;
    let kept = match &standing {
        Some(config)
            if !args.renew
                && fits(config)
                && grant::are_good(&config.client()?, &config.tokens)? =>
        {
            Some(grant::Granted::of(config))
        }
        _ => None,
    };
    let is_kept = kept.is_some();
    let granted = match kept {
        Some(kept) => kept,
        None => grant::grant(&opened.with_role(&["admin"])?, args.surface, &actors, None)?,
    };
    let state = state_home();
    let state = state.ok_or_else(|| CliError::usage("there is no home directory (HOME)"))?;
    let config = args.config(server, state, login(), connection, granted)?;
    config.write(file).map_err(hook_error)?;
    // Not before the new ones are in the file: a hook that runs meanwhile has one or the other.
    let revoked = match standing.filter(|_| !is_kept) {
        Some(old) => grant::revoke(&opened.with_role(&["admin"])?, &old)?,
        None => 0,
    };
    Ok((config, !is_kept, revoked))
}

fn advise(
    args: &InstallArgs,
    settings: Option<&Path>,
    file: &Path,
    terminal: &Terminal,
) -> Result<(), CliError> {
    let Some(settings) = settings else {
        terminal.hint(format!(
            "let the host run `countersign hook agent-hooks --config {}`, or post to `countersign hook agent-hooks --listen 127.0.0.1:8790`",
            file.display()
        ));
        return Ok(());
    };
    for finding in settings::inspect(settings).map_err(hook_error)?.findings {
        terminal.warn(finding.text);
    }
    if args.scope.project {
        terminal.warn("these settings are the project's: whoever else has it runs the same paths, and without the same files all their calls are blocked");
    }
    terminal.hint("start a new session of the assistant; one that runs has its hooks already");
    Ok(())
}

pub(super) fn installed_text(done: &Done<'_>, config: &Config) -> String {
    let credentials = match (done.granted, done.revoked) {
        (true, 0) => "three credentials were granted".to_owned(),
        (true, revoked) => format!("three credentials were granted, {revoked} revoked"),
        (false, _) => "its credentials stay".to_owned(),
    };
    let mut text = format!(
        "{} asks {}: {credentials}, in {}",
        done.surface,
        config.server,
        done.config.display()
    );
    if let Some(settings) = done.settings {
        let how = match done.changed {
            true => "the hooks are in",
            false => "the hooks were there already, in",
        };
        text.push_str(&format!("\n{how} {}", settings.display()));
    }
    if let Some(backup) = done.backup {
        text.push_str(&format!(
            "\nwhat stood there is kept in {}",
            backup.display()
        ));
    }
    text
}

pub(super) fn uninstalled_text(done: &Done<'_>) -> String {
    let settings = done.settings.map(|path| path.display().to_string());
    let mut text = match (settings, done.changed) {
        (Some(settings), true) => format!("the hooks are out of {settings}"),
        (Some(settings), false) => format!("no hooks of ours stand in {settings}"),
        (None, _) => "there is no settings file to take anything out of".to_owned(),
    };
    if done.revoked > 0 {
        text.push_str(&format!("\n{} credentials were revoked", done.revoked));
    }
    text
}

impl<'a> Done<'a> {
    pub(super) fn of(
        event: &'static str,
        surface: Surface,
        config: &'a Path,
        settings: Option<&'a Path>,
        changed: &'a Changed,
    ) -> Self {
        Self {
            event,
            surface: surface.name(),
            config,
            server: None,
            settings,
            changed: *changed != Changed::Nothing,
            backup: match changed {
                Changed::Written { backup } => backup.as_deref(),
                Changed::Nothing => None,
            },
            granted: false,
            revoked: 0,
        }
    }
}

impl InstallArgs {
    /// The configuration of a hook with these credentials.
    pub(super) fn config(
        &self,
        server: ServerUrl,
        state: PathBuf,
        principal: String,
        connection: &ConnectionArgs,
        granted: grant::Granted,
    ) -> Result<Config, CliError> {
        let profile = connection.profile()?;
        let of_server = profile.filter(|profile| profile.server == server.as_str());
        let ca_file = connection.ca_file();
        Ok(Config {
            ca_file: ca_file.or_else(|| of_server.and_then(|profile| profile.ca_file)),
            server,
            principal,
            actor: self.surface.actor().to_owned(),
            more_actors: self.more_actors.clone(),
            channel: self.surface.name().to_owned(),
            state,
            review_wait_s: self.review_wait_s()?,
            request_timeout_s: REQUEST_TIMEOUT_S,
            turn_ttl_s: self.turns_count.unwrap_or(TURN_TTL_S),
            sdk_prompts: match self.trust_sdk_prompts {
                true => SdkPrompts::Principal,
                false => SdkPrompts::System,
            },
            credentials: granted.ids,
            tokens: granted.tokens,
        })
    }

    /// Whom the credentials may speak for.
    pub(super) fn actors(&self) -> Vec<String> {
        let actor = self.surface.actor();
        let mut actors = vec![actor.to_owned(), format!("{actor}/")];
        actors.extend(self.more_actors.iter().cloned());
        actors
    }

    fn review_wait_s(&self) -> Result<u64, CliError> {
        match self.review_wait {
            None => Ok(self.surface.review_wait_s()),
            Some(wait) if wait <= REVIEW_WAIT_MAX_S => Ok(wait),
            Some(wait) => Err(CliError::usage(format!(
                "--review-wait is {wait} s; allowed is at most {REVIEW_WAIT_MAX_S} s"
            ))),
        }
    }
}

impl ScopeArgs {
    pub(super) fn managed_file(&self) -> Option<&Path> {
        self.managed_file.as_deref()
    }

    /// The settings file, if the surface has one.
    fn settings(&self, surface: Surface) -> Result<Option<PathBuf>, CliError> {
        if surface == Surface::AgentHooks {
            return match self.user || self.project {
                true => Err(CliError::usage(
                    "agent-hooks has no settings file: --user and --project are for claude-code",
                )),
                false => Ok(None),
            };
        }
        let scope = match self.project {
            true => Scope::Project,
            false => Scope::User,
        };
        let here = std::env::current_dir()
            .map_err(|error| CliError::usage(format!("the current directory: {error}")))?;
        let path = settings::path(scope, &here);
        path.map(Some)
            .ok_or_else(|| CliError::usage("there is no home directory (HOME)"))
    }
}

impl Surface {
    pub(super) fn config_file(self) -> Result<PathBuf, CliError> {
        config_file(self.name()).ok_or_else(|| CliError::usage("there is no home directory (HOME)"))
    }
}

/// An error of the hooks' own, with its hint.
pub(super) fn hook_error(error: countersign_hooks::HookError) -> CliError {
    match error {
        countersign_hooks::HookError::Server(error) => error.into(),
        error => CliError::usage(error.to_string()),
    }
}
