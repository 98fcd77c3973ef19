//! `countersign vault`

mod chosen;
pub(crate) mod complete;
mod erase;
mod export;
mod hold;
mod open;
mod proving;
mod recipient;
mod select;
mod unseal;

use clap::Subcommand;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Open one sealed record; that it was opened, and for which purpose, is an entry
    Open(open::OpenArgs),
    /// Say yes to an opening that another person asked for, where two people are needed
    Confirm(open::ConfirmArgs),
    /// Complete the erasures that were requested, now: no copy of the database opens them then
    Complete(complete::CompleteArgs),
    /// Erase sealed records: nobody can read them any more, and the ledger says that it was done
    Erase(erase::EraseArgs),
    /// Put records under legal hold: they cannot be erased, and do not expire
    Hold(hold::HoldArgs),
    /// Lift a legal hold
    Release(hold::ReleaseArgs),
    /// List the legal holds in force
    Holds,
    /// Hand chosen records to somebody: sealed to the recipient's key, with proofs, in one file
    Export(export::ExportArgs),
    /// Open and check what was sealed to your key
    Unseal(unseal::UnsealArgs),
    /// Make the key that others seal records to, or print its public half
    #[command(subcommand)]
    RecipientKey(recipient::RecipientCommand),
}

pub(crate) fn run(
    command: &VaultCommand,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match command {
        VaultCommand::Open(args) => open::run(args, connection, terminal),
        VaultCommand::Confirm(args) => open::confirm(args, connection, terminal),
        VaultCommand::Complete(args) => complete::run(args, connection, terminal),
        VaultCommand::Erase(args) => erase::run(args, connection, terminal),
        VaultCommand::Hold(args) => hold::place(args, connection, terminal),
        VaultCommand::Release(args) => hold::release(args, connection, terminal),
        VaultCommand::Holds => hold::list(connection, terminal),
        VaultCommand::Export(args) => export::run(args, connection, terminal),
        VaultCommand::Unseal(args) => unseal::run(args, connection, terminal),
        VaultCommand::RecipientKey(command) => recipient::run(command, terminal),
    }
}
