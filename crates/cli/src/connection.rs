//! Which server a command asks, and as whom.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use clap::Args;
use countersign_client::{Client, Options, REQUEST_TIMEOUT, ServerUrl, Token};

use crate::error::CliError;
use crate::profile::{Profile, ProfilePath};
use crate::terminal::Terminal;

/// The address that `countersign serve` listens on unless it is told another.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:8787";

/// Options that every command has.
#[derive(Debug, Args)]
pub(crate) struct ConnectionArgs {
    /// The server's address [default: the profile's]
    #[arg(
        long,
        global = true,
        env = "COUNTERSIGN_URL",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    server: Option<String>,
    /// A credential's token in place of the profile's; others on this machine can see options, so prefer the variable
    #[arg(
        long,
        global = true,
        env = "COUNTERSIGN_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    token: Option<String>,
    /// The profile with server, keys and tokens [default: $XDG_CONFIG_HOME/countersign/profile.toml]
    #[arg(
        long,
        global = true,
        env = "COUNTERSIGN_PROFILE",
        value_name = "FILE",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    profile: Option<PathBuf>,
    /// For https: a PEM file of certificates to trust in place of the system's
    #[arg(
        long,
        global = true,
        env = "COUNTERSIGN_CA_FILE",
        value_name = "FILE",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    ca_file: Option<PathBuf>,
    /// How many seconds a request may take [default: 30]
    #[arg(long, global = true, env = "COUNTERSIGN_TIMEOUT_S", value_name = "SECONDS", hide_env_values = true, help_heading = "Connection",
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout_s: Option<u64>,
}

/// A server and the credentials that are there for it.
pub(crate) struct Connection {
    client: Client,
    token: Option<Token>,
    profile: Option<Profile>,
    place: String,
    /// The server that the profile is of, if it is another one.
    elsewhere: Option<String>,
}

impl ConnectionArgs {
    /// Finds the server and the profile. Nothing is connected yet.
    pub(crate) fn open(&self, terminal: &Terminal) -> Result<Connection, CliError> {
        let place = self.profile_path();
        let profile = match &place {
            Some(place) => place.read()?,
            None => None,
        };
        let address = match (&self.server, &profile) {
            (Some(server), _) => server.clone(),
            (None, Some(profile)) => profile.server.clone(),
            (None, None) => DEFAULT_SERVER.to_owned(),
        };
        let server: ServerUrl = address
            .parse()
            .map_err(|error| CliError::usage(format!("{error}")))?;
        // A server that the profile does not know must not be sent its tokens.
        let is_profiles = |profile: &Profile| {
            profile
                .server
                .parse::<ServerUrl>()
                .is_ok_and(|known| known == server)
        };
        let elsewhere = profile
            .as_ref()
            .filter(|profile| !is_profiles(profile))
            .map(|profile| profile.server.clone());
        let profile = profile.filter(is_profiles);
        let own_ca = self.ca_file.clone();
        let options = Options {
            ca_file: own_ca
                .or_else(|| profile.as_ref().and_then(|profile| profile.ca_file.clone())),
            request_timeout: self.timeout_s.map_or(REQUEST_TIMEOUT, Duration::from_secs),
            ..Options::default()
        };
        if !server.is_encrypted() && !server.is_loopback() {
            warn_once(terminal, &server);
        }
        Ok(Connection {
            client: Client::new(server, options)?,
            token: self.token.as_deref().map(Token::new),
            profile,
            elsewhere,
            place: place.map_or_else(
                || "no profile".to_owned(),
                |place| place.path().display().to_string(),
            ),
        })
    }

    /// Clients of an address that need not be the profile's server: one without a token, and one
    /// with a token if one was given or the profile is of the server at this address.
    pub(crate) fn clients_at(
        &self,
        url: &ServerUrl,
        roles: &[&str],
        terminal: &Terminal,
    ) -> Result<(Client, Option<Client>), CliError> {
        let profile = self.profile()?;
        let of_profile = profile.filter(|profile| is_below(url, &profile.server));
        let own_ca = self.ca_file.clone();
        let options = Options {
            ca_file: own_ca.or_else(|| of_profile.as_ref().and_then(|own| own.ca_file.clone())),
            request_timeout: self.timeout_s.map_or(REQUEST_TIMEOUT, Duration::from_secs),
            ..Options::default()
        };
        let client = Client::new(url.clone(), options)?;
        let tokens = of_profile.as_ref().map(|profile| &profile.tokens);
        let known = || roles.iter().find_map(|role| tokens?.get(*role).cloned());
        let token = self.token.as_deref().map(Token::new).or_else(known);
        if token.is_some() && !url.is_encrypted() && !url.is_loopback() {
            warn_once(terminal, url);
        }
        let with_token = token.map(|token| client.with_token(token));
        Ok((client, with_token))
    }

    /// Where the profile is, or is to be written.
    pub(crate) fn profile_path(&self) -> Option<ProfilePath> {
        match &self.profile {
            Some(path) => Some(ProfilePath::named(path)),
            None => ProfilePath::usual(),
        }
    }

    /// The profile itself, for commands that need its keys and no server.
    pub(crate) fn profile(&self) -> Result<Option<Profile>, CliError> {
        self.profile_path().map_or(Ok(None), |place| place.read())
    }

    /// The certificates that were named, by a path that is the same from everywhere.
    pub(crate) fn ca_file(&self) -> Option<PathBuf> {
        let path = self.ca_file.as_ref()?;
        Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
    }

    /// The token for a role, for commands that work on a data directory.
    pub(crate) fn token_for(&self, role: &str) -> Result<Option<Token>, CliError> {
        if let Some(token) = &self.token {
            return Ok(Some(Token::new(token)));
        }
        Ok(self
            .profile()?
            .and_then(|profile| profile.tokens.get(role).cloned()))
    }
}

impl Connection {
    /// A connection of which everything is known, as the demo has.
    pub(crate) fn of(client: Client, profile: Profile) -> Self {
        Self {
            client,
            token: None,
            profile: Some(profile),
            place: "the demo".to_owned(),
            elsewhere: None,
        }
    }

    /// A client without a token, for what is public.
    pub(crate) fn public(&self) -> &Client {
        &self.client
    }

    /// A client with the credential of the first of these roles that there is a token for.
    pub(crate) fn with_role(&self, roles: &[&str]) -> Result<Client, CliError> {
        if let Some(token) = &self.token {
            return Ok(self.client.with_token(token.clone()));
        }
        let known = self.profile.as_ref().map(|profile| &profile.tokens);
        let found = roles.iter().find_map(|role| known?.get(*role));
        match found {
            Some(token) => Ok(self.client.with_token(token.clone())),
            None => Err(self.no_token(roles)),
        }
    }

    /// A client with a credential of its own for a role: with the token that was given for it, or
    /// the profile's. A token that was given for the command as a whole is another credential's.
    pub(crate) fn with_own(&self, role: &str, given: Option<&str>) -> Result<Client, CliError> {
        let known = self.profile.as_ref().map(|profile| &profile.tokens);
        let given = given.map(Token::new);
        match given.or_else(|| known?.get(role).cloned()) {
            Some(token) => Ok(self.client.with_token(token)),
            None => Err(self.no_token(&[role])),
        }
    }

    fn no_token(&self, roles: &[&str]) -> CliError {
        let wanted = roles.join("` or `");
        let server = self.client.server();
        let message = match (&self.profile, &self.elsewhere) {
            (Some(_), _) => format!("`{}` holds no token for the role `{wanted}`", self.place),
            (None, Some(other)) => format!(
                "there is no token for `{server}`: the profile `{}` is of another server address, `{other}`, and its tokens are not sent elsewhere",
                self.place
            ),
            (None, None) => format!(
                "there is no token for `{server}`: no profile of this server was found ({})",
                self.place
            ),
        };
        CliError::usage(message).hint(
            "give one with COUNTERSIGN_TOKEN, or name a profile with --profile; `countersign serve` writes one on its first start",
        )
    }
}

/// Whether an address is on a server: the server's own, or one whose path begins with it.
fn is_below(url: &ServerUrl, server: &str) -> bool {
    let Ok(server) = server.parse::<ServerUrl>() else {
        return false;
    };
    let rest = url.as_str().strip_prefix(server.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn warn_once(terminal: &Terminal, server: &ServerUrl) {
    static WARNED: OnceLock<()> = OnceLock::new();
    WARNED.get_or_init(|| {
        terminal.warn(format!(
            "`{server}` is neither encrypted nor on this machine: the token can be read on the way"
        ));
    });
}
