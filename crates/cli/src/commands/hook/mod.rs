//! `countersign hook`

mod direct;
mod grant;
mod install;
mod listen;
mod managed;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

pub(crate) use direct::direct;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// Put the hooks in: credentials of their own, and the assistant's settings
    Install(install::InstallArgs),
    /// Take out exactly what `install` put in
    Uninstall(install::UninstallArgs),
    /// Read, write or remove the own configuration, for `install --managed` of root
    #[command(hide = true)]
    Own(managed::OwnArgs),
    /// Answer one of Claude Code's hook events: JSON by stdin, JSON on stdout
    ClaudeCode(HandlerArgs),
    /// Answer one context of the agent-hooks 0.1 contract by stdin, or serve them over HTTP
    AgentHooks(AgentHooksArgs),
}

/// What can be hooked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Surface {
    /// Claude Code, by its settings file
    ClaudeCode,
    /// Any agent host that speaks agent-hooks 0.1
    AgentHooks,
}

/// The assistant calls this by itself. Exit code 0 with the answer, or 2, which blocks.
#[derive(Debug, Args)]
pub(crate) struct HandlerArgs {
    /// The file that `install` wrote [default: $XDG_CONFIG_HOME/countersign/hooks/claude-code.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A verdict for each context; whatever goes wrong is a deny.
#[derive(Debug, Args)]
pub(crate) struct AgentHooksArgs {
    /// The file that `install` wrote [default: $XDG_CONFIG_HOME/countersign/hooks/agent-hooks.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve contexts over HTTP at this address, for those who send the token of the configuration
    #[arg(long, value_name = "ADDR")]
    listen: Option<std::net::SocketAddr>,
}

pub(crate) fn run(
    command: &HookCommand,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match command {
        HookCommand::Install(args) => install::install(args, connection, terminal),
        HookCommand::Uninstall(args) => install::uninstall(args, connection, terminal),
        HookCommand::Own(args) => managed::own(args),
        HookCommand::ClaudeCode(args) => Ok(direct::claude_code(args.config.as_deref())),
        HookCommand::AgentHooks(args) => match args.listen {
            None => Ok(direct::agent_hooks(args.config.as_deref())),
            Some(address) => listen::run(address, args.config.as_deref(), terminal),
        },
    }
}

impl Surface {
    /// The name of its configuration, and its channel.
    fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => countersign_hooks::claude::NAME,
            Self::AgentHooks => countersign_hooks::agent_hooks::NAME,
        }
    }

    /// Who makes the calls.
    fn actor(self) -> &'static str {
        match self {
            Self::ClaudeCode => countersign_hooks::claude::ACTOR,
            Self::AgentHooks => countersign_hooks::agent_hooks::ACTOR,
        }
    }

    /// How long a call waits for a person, in seconds. Hosts of agent-hooks wait five (§7).
    fn review_wait_s(self) -> u64 {
        match self {
            Self::ClaudeCode => countersign_hooks::limits::REVIEW_WAIT_S,
            Self::AgentHooks => 2,
        }
    }
}
