//! `countersign manifest`: tool manifests, made from what servers of tools say of themselves.

mod again;
mod ask;
mod files;
mod fresh;
mod http;
mod listed;
mod merged;
mod process;
mod text;
mod update;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;
use ask::Listing;

/// How long each answer of the server may take unless told otherwise.
const PATIENCE_S: u64 = 30;

#[derive(Debug, Subcommand)]
pub(crate) enum ManifestCommand {
    /// Write a bundle for the tools that an MCP server lists, or show what has changed of them
    FromMcp(FromMcpArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Starts the server, asks for its tools, and writes a bundle that can be published: a manifest per
tool with the digest of its definition, a Cedar schema, policies, cases, and GUESSES.md, which says
what was guessed. Read that before you rely on it. Where the directory is there already, it shows
what has changed; --update takes it over, and leaves policies, actions and effects as they are.

Examples:
  countersign manifest from-mcp --out files -- npx -y @modelcontextprotocol/server-filesystem ~/docs
  countersign policy test files && countersign policy publish --activate files
  countersign manifest from-mcp --out files --update -- …            # the same command as before

Exit codes: 0 written, or nothing has changed · 1 something has changed
            2 usage, or the server could not be asked")]
pub(crate) struct FromMcpArgs {
    /// The bundle's directory [default: the server's name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The bundle's name [default: the server's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What is put before each tool's name, as `countersign mcp --prefix` does
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// Where the directory is there already: take over what has changed
    #[arg(long)]
    update: bool,
    /// Ask a server at this address in place of starting one
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    url: Option<String>,
    /// The name of an environment variable that holds a bearer token for the address
    #[arg(long, value_name = "NAME", requires = "url")]
    bearer_env: Option<String>,
    /// How many seconds each answer of the server may take
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE_S, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// The command that starts the server, with its arguments
    #[arg(last = true, required_unless_present = "url", value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn run(command: &ManifestCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    match command {
        ManifestCommand::FromMcp(args) => from_mcp(args, terminal),
    }
}

fn from_mcp(args: &FromMcpArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let listing = listing(args)?;
    let listed = listed::Listed::read(&listing, &args.prefix);
    let name = match &args.name {
        Some(name) => name.clone(),
        None => listed::slug(&listing.server),
    };
    let directory = match &args.out {
        Some(out) => out.clone(),
        None => PathBuf::from(&name),
    };
    if directory.join("bundle.toml").exists() {
        return again::compare(&directory, &listed, args.update, terminal);
    }
    if args.update {
        return Err(CliError::io(&directory, "no bundle: it has no bundle.toml")
            .hint("without --update one is written"));
    }
    fresh::write(&directory, &name, &listed, terminal)
}

fn listing(args: &FromMcpArgs) -> Result<Listing, CliError> {
    let patience = Duration::from_secs(args.timeout);
    let Some(url) = &args.url else {
        let mut process = process::Process::start(&args.command)?;
        return ask::listing(&mut process, patience);
    };
    let bearer =
        match &args.bearer_env {
            None => None,
            Some(name) => Some(std::env::var(name).map_err(|_| {
                CliError::usage(format!("the environment has no variable `{name}`"))
            })?),
        };
    let mut remote = http::Remote::new(url, bearer, patience)?;
    ask::listing(&mut remote, patience)
}
