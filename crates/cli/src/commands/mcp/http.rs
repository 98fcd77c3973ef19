//! A server that is reached over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use countersign_mcp::http::{
    HttpError, HttpOptions, HttpOptionsError, HttpRelay, UpstreamHeaders, UpstreamRevision,
    UpstreamUrl, read_tokens,
};
use countersign_mcp::relay::Relay;
use serde_json::json;

use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::terminal::Terminal;

/// Options of a relay over HTTP.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Over HTTP")]
pub(super) struct HttpArgs {
    /// Listen for clients at this address, and relay to --upstream
    #[arg(long, value_name = "ADDRESS", requires = "upstream")]
    listen: Option<SocketAddr>,
    /// The upstream's endpoint, http:// or https://
    #[arg(long, value_name = "URL", requires = "listen")]
    upstream: Option<String>,
    /// Which revision the upstream speaks
    #[arg(long, value_enum, default_value = "ask", value_name = "REVISION")]
    upstream_revision: Revision,
    /// A file with headers for the upstream, one `Name: value` a line, such as its Authorization
    #[arg(long, value_name = "FILE")]
    upstream_headers: Option<PathBuf>,
    /// For https: a PEM file of certificates to trust for the upstream in place of the system's
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
    /// A file with tokens that clients have to show, one a line
    #[arg(long, value_name = "FILE")]
    client_token_file: Option<PathBuf>,
    /// Let a client's Authorization go on to the upstream
    #[arg(long)]
    forward_authorization: bool,
    /// A host that requests may name beside the address itself; can be given more than once
    #[arg(long = "allow-host", value_name = "HOST")]
    allow_hosts: Vec<String>,
    /// An origin whose pages may use the relay; can be given more than once
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    allow_origins: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Revision {
    /// The relay asks it
    Ask,
    /// 2025-11-25 or earlier, with sessions
    #[value(name = "2025-11-25")]
    Sessions,
    /// 2026-07-28, without sessions
    #[value(name = "2026-07-28")]
    Stateless,
}

impl HttpArgs {
    pub(super) fn upstream(&self) -> Result<Option<UpstreamUrl>, CliError> {
        let parsed = self.upstream.as_deref().map(str::parse).transpose();
        parsed.map_err(refused)
    }
}

pub(super) fn run(
    args: &HttpArgs,
    upstream: UpstreamUrl,
    relay: Relay,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let Some(listen) = args.listen else {
        return Err(CliError::usage("there is no address to listen on"));
    };
    let options = options(args, listen, upstream)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::usage(error.to_string()))?;
    let at_end = relay.clone();
    runtime.block_on(async {
        let bound = HttpRelay::bind(relay, options).await.map_err(unbound)?;
        let url = bound.url();
        match terminal.is_json() {
            true => terminal.json(&json!({ "event": "listening", "url": url }))?,
            false => terminal.line(format!("listening on {url}"))?,
        }
        bound.run(asked_to_end()).await;
        Ok::<(), CliError>(())
    })?;
    match at_end.close() {
        0 => Ok(Exit::Yes),
        lost => Err(CliError::usage(format!(
            "{lost} executions are not in the ledger: the decisions stand there without them"
        ))),
    }
}

fn options(
    args: &HttpArgs,
    listen: SocketAddr,
    upstream: UpstreamUrl,
) -> Result<HttpOptions, CliError> {
    let mut options = HttpOptions::new(listen, upstream);
    options.revision = match args.upstream_revision {
        Revision::Ask => UpstreamRevision::Ask,
        Revision::Sessions => UpstreamRevision::Sessions,
        Revision::Stateless => UpstreamRevision::Stateless,
    };
    if let Some(file) = &args.upstream_headers {
        options.upstream_headers = UpstreamHeaders::read(&input::file(file)?).map_err(refused)?;
    }
    if let Some(file) = &args.client_token_file {
        options.client_tokens = read_tokens(&input::file(file)?).map_err(refused)?;
    }
    options.upstream_ca.clone_from(&args.upstream_ca);
    options.forward_authorization = args.forward_authorization;
    options.allow_hosts.clone_from(&args.allow_hosts);
    options.allow_origins.clone_from(&args.allow_origins);
    Ok(options)
}

async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = heard else {
        // Without signals, only the system ends it.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn refused(error: HttpOptionsError) -> CliError {
    let own = CliError::usage(error.to_string());
    match error.hint() {
        Some(hint) => own.hint(hint),
        None => own,
    }
}

fn unbound(error: HttpError) -> CliError {
    match error {
        HttpError::Options(error) => refused(error),
        error => CliError::usage(error.to_string()),
    }
}
