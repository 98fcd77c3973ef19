//! The commands and what they share.

use clap::{Parser, Subcommand};

use crate::commands::{
    backup, checkpoint, credential, decide, delegate, directory, doctor, entries, execution,
    explain, export, flags, fsck, gate, hook, key, manifest, mcp, monitor, notify, observe, policy,
    reconcile, restore, reviews, revoke, session, stop, turn, vault, verify,
};
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;
use crate::{demo, serve, witness};

/// Decide whether each tool call of an agent follows from what a person asked for, and prove it later
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
#[command(after_help = "\
Exit codes:
  0  yes: approved, trusted, done
  1  no: rejected, escalated, failed, refused by the server
  2  usage, or something could not be read, written or reached
  3  the log is inconsistent
  4  verify: nothing wrong, but unanchored

Start here: `countersign demo` plays a story on a server of its own, `countersign serve` starts one.")]
struct Cli {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Write JSON documents on stdout, one per line
    #[arg(long, global = true, display_order = 900)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it on your own traffic: judge recorded calls, without a server; nothing leaves the machine
    Observe(observe::ObserveArgs),
    /// Play the story of the agent that was talked into it at 2 a.m., on a real server
    Demo(demo::DemoArgs),
    /// Run a server; on the first start, make its data directory, keys and credentials
    Serve(serve::ServeArgs),
    /// Make a data directory, keys and credentials without starting a server
    Init(serve::InitArgs),
    /// Stand between an MCP client and a server of tools: no tool call leaves unjudged
    Mcp(Box<mcp::McpArgs>),
    /// Put Countersign into a coding assistant, or any agent host that has hooks
    #[command(subcommand)]
    Hook(hook::HookCommand),
    /// Stand before an HTTP tool: let a call through once, on its permit
    Gate(gate::GateArgs),
    /// Look at what is installed here and try it: is every call judged, and does the ledger hold it?
    Doctor(doctor::DoctorArgs),
    /// Register a turn: what a person asked for
    Turn(turn::TurnArgs),
    /// Ask whether a tool call may be made
    Decide(decide::DecideArgs),
    /// Give part of an agent's mandate to another agent
    Delegate(delegate::DelegateArgs),
    /// List the calls that wait for a person, show one, and answer it
    Reviews(reviews::ReviewsArgs),
    /// Report what became of an approved call
    Execution(execution::ExecutionArgs),
    /// Hold what ran against what was approved: what ran that nobody authorized?
    Reconcile(reconcile::ReconcileArgs),
    /// Stop an actor or everything, at the next commit; or let it go on
    Stop(stop::StopArgs),
    /// End a turn: nothing more can be done in its name
    Revoke(revoke::RevokeArgs),
    /// Open or close a session
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// List entries of the ledger, or show one
    Entries(entries::EntriesArgs),
    /// Say why a decision came out as it did
    Explain(explain::ExplainArgs),
    /// Check, publish, show and compare policy bundles
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Make tool manifests from what servers of tools say of themselves
    #[command(subcommand)]
    Manifest(manifest::ManifestCommand),
    /// Change the directory that policies look things up in
    #[command(subcommand)]
    Directory(directory::DirectoryCommand),
    /// Grant, revoke and list credentials
    #[command(subcommand)]
    Credential(credential::CredentialCommand),
    /// Show, list, rotate and revoke the keys of a log
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// List the flags that the detectors raised
    Flags(flags::FlagsArgs),
    /// Whom a server tells of flags: webhooks, chats, mail
    #[command(subcommand)]
    Notify(notify::NotifyCommand),
    /// Open sealed records, hand them over, hold them, erase them
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Fetch the present checkpoint: what an auditor keeps, to hold later exports against
    Checkpoint(checkpoint::CheckpointArgs),
    /// Copy the log, and documents that may be opened, for checking offline
    Export(export::ExportArgs),
    /// Copy the log of a running server to another place, checked and without keys
    Backup(backup::BackupArgs),
    /// Put a backup in the place of a data directory that was lost, if nothing newer is known
    Restore(restore::RestoreArgs),
    /// Hold a data directory, or tiles, against their own entries, and write again what derives
    Fsck(fsck::FsckArgs),
    /// Check a log: an export, offline, or a server's as it is read
    Verify(verify::VerifyArgs),
    /// Follow a log and its witnesses: say so when it goes back or shows two histories
    Monitor(monitor::MonitorArgs),
    /// Be a witness of logs: cosign their checkpoints as long as no history is rewritten
    #[command(subcommand)]
    Witness(witness::WitnessCommand),
}

/// Reads the command line and carries it out.
pub(crate) fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let is_help = !error.use_stderr();
            // Nothing can be done about a closed stderr.
            let _ = error.print();
            return if is_help { Exit::Yes } else { Exit::Trouble };
        }
    };
    let terminal = Terminal::new(cli.json);
    match dispatch(&cli, &terminal) {
        Ok(exit) => exit,
        Err(error) => {
            terminal.error(&error);
            error.exit()
        }
    }
}

fn dispatch(cli: &Cli, terminal: &Terminal) -> Result<Exit, CliError> {
    let connection = &cli.connection;
    match &cli.command {
        Command::Observe(args) => observe::run(args, terminal),
        Command::Hook(command) => hook::run(command, connection, terminal),
        Command::Demo(args) => demo::run(args, terminal),
        Command::Serve(args) => serve::run(args, connection, terminal),
        Command::Init(args) => serve::init(args, connection, terminal),
        Command::Doctor(args) => doctor::run(args, connection, terminal),
        Command::Turn(args) => turn::run(args, connection, terminal),
        Command::Decide(args) => decide::run(args, connection, terminal),
        Command::Delegate(args) => delegate::run(args, connection, terminal),
        Command::Reviews(args) => reviews::run(args, connection, terminal),
        Command::Execution(args) => execution::run(args, connection, terminal),
        Command::Gate(args) => gate::run(args, connection, terminal),
        Command::Reconcile(args) => reconcile::run(args, connection, terminal),
        Command::Stop(args) => stop::run(args, connection, terminal),
        Command::Revoke(args) => revoke::run(args, connection, terminal),
        Command::Session(command) => session::run(command, connection, terminal),
        Command::Entries(args) => entries::run(args, connection, terminal),
        Command::Explain(args) => explain::run(args, connection, terminal),
        Command::Policy(command) => policy::run(command, connection, terminal),
        Command::Manifest(command) => manifest::run(command, terminal),
        Command::Directory(command) => directory::run(command, connection, terminal),
        Command::Credential(command) => credential::run(command, connection, terminal),
        Command::Key(command) => key::run(command, connection, terminal),
        Command::Flags(args) => flags::run(args, connection, terminal),
        Command::Notify(command) => notify::run(command, terminal),
        Command::Vault(command) => vault::run(command, connection, terminal),
        Command::Checkpoint(args) => checkpoint::run(args, connection, terminal),
        Command::Export(args) => export::run(args, connection, terminal),
        Command::Backup(args) => backup::run(args, terminal),
        Command::Restore(args) => restore::run(args, terminal),
        Command::Fsck(args) => fsck::run(args, terminal),
        Command::Verify(args) => verify::run(args, connection, terminal),
        Command::Mcp(args) => mcp::run(args, connection, terminal),
        Command::Monitor(args) => monitor::run(args, connection, terminal),
        Command::Witness(command) => witness::run(command, terminal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
