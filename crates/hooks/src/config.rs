//! The file with the hook's own credentials: which server, and a token per role.
//!
//! The handler is told its path by an option, or that it is below the home directory that the
//! system's users give. It reads no other place and no variable: an assistant takes its variables
//! from settings that a project brings along.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_client::{Client, ClientError, Options, ServerUrl, Token};
use serde::{Deserialize, Serialize};

use crate::error::HookError;
use crate::files;
use crate::limits::{
    CONFIG_BYTES, CONNECT_TIMEOUT, REQUEST_TIMEOUT_S, REVIEW_WAIT_MAX_S, REVIEW_WAIT_S, TURN_TTL_S,
};

/// What stands above the members.
const HEADER: &str = "# Written by `countersign hook install`. It holds tokens: keep it to yourself, and out of an agent's reach.\n\n";

/// What the handler needs to know.
pub struct Config {
    /// The server's address.
    pub server: ServerUrl,
    /// For https: PEM certificates that may have signed the server's.
    pub ca_file: Option<PathBuf>,
    /// Whose words the turns are, such as `user:jo`.
    pub principal: String,
    /// Who makes the calls, such as `agent:claude-code`.
    pub actor: String,
    /// Further actors that the turns name: other surfaces that act on the same turns.
    pub more_actors: Vec<String>,
    /// The way by which the turns come in; also what session ids begin with.
    pub channel: String,
    /// Where the state is kept.
    pub state: PathBuf,
    /// How long a call waits for a person, in seconds.
    pub review_wait_s: u64,
    /// How long one request may take, waiting for a person aside, in seconds.
    pub request_timeout_s: u64,
    /// How long a turn counts, in seconds.
    pub turn_ttl_s: u64,
    /// Whose words a prompt is that a program gave through the SDK.
    pub sdk_prompts: SdkPrompts,
    /// The credentials' ids, by role, so that they can be revoked.
    pub credentials: std::collections::BTreeMap<String, String>,
    /// The credentials' tokens.
    pub tokens: Tokens,
}

/// Whose words a prompt is that a program gave through the SDK.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SdkPrompts {
    /// The program's: they carry no authority of their own.
    #[default]
    System,
    /// The person's: the program passes on what a person typed, and nothing else.
    Principal,
}

/// A token for each role that the handler has.
#[derive(Clone)]
pub struct Tokens {
    /// Asks for decisions.
    pub agent: Token,
    /// Registers turns, opens and closes sessions.
    pub ingress: Token,
    /// Reports executions.
    pub tool: Token,
    /// Asked of whoever posts events over HTTP.
    pub listen: Option<Token>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
    principal: String,
    actor: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more_actors: Vec<String>,
    channel: String,
    state: PathBuf,
    #[serde(default = "review_wait_s")]
    review_wait_s: u64,
    #[serde(default = "request_timeout_s")]
    request_timeout_s: u64,
    #[serde(default = "turn_ttl_s")]
    turn_ttl_s: u64,
    #[serde(default)]
    sdk_prompts: SdkPrompts,
    #[serde(default)]
    credentials: std::collections::BTreeMap<String, String>,
    tokens: FileTokens,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTokens {
    agent: String,
    ingress: String,
    tool: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
}

fn review_wait_s() -> u64 {
    REVIEW_WAIT_S
}

fn request_timeout_s() -> u64 {
    REQUEST_TIMEOUT_S
}

fn turn_ttl_s() -> u64 {
    TURN_TTL_S
}

impl Config {
    /// Reads the file. One that others can read is refused.
    pub fn read(path: &Path) -> Result<Self, HookError> {
        Self::find(path)?.ok_or_else(|| HookError::file(path, "there is no such file"))
    }

    /// Reads the file; `None` if it is not there.
    pub fn find(path: &Path) -> Result<Option<Self>, HookError> {
        let Some(text) = files::read_private(path, CONFIG_BYTES)? else {
            return Ok(None);
        };
        Self::parse(&text)
            .map(Some)
            .map_err(|reason| HookError::file(path, reason))
    }

    /// Reads the text of such a file. The error holds nothing of it that could be a token.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The parser's own message may quote a line, and a line may hold a token.
        let file: File = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(0, |before| before.matches('\n').count() + 1);
            format!(
                "line {line} is no line of a hook's configuration: {}",
                error.message()
            )
        })?;
        let server: ServerUrl = file.server.parse().map_err(|error| format!("{error}"))?;
        if !file.state.is_absolute() {
            return Err(format!(
                "`state` is `{}`; allowed is an absolute path",
                file.state.display()
            ));
        }
        if file.review_wait_s > REVIEW_WAIT_MAX_S {
            return Err(format!(
                "`review_wait_s` is {}; allowed is 0 to {REVIEW_WAIT_MAX_S}",
                file.review_wait_s
            ));
        }
        if !(1..=REQUEST_TIMEOUT_S).contains(&file.request_timeout_s) {
            return Err(format!(
                "`request_timeout_s` is {}; allowed is 1 to {REQUEST_TIMEOUT_S}",
                file.request_timeout_s
            ));
        }
        Ok(Self {
            server,
            ca_file: file.ca_file,
            principal: file.principal,
            actor: file.actor,
            more_actors: file.more_actors,
            channel: file.channel,
            state: file.state,
            review_wait_s: file.review_wait_s,
            request_timeout_s: file.request_timeout_s,
            turn_ttl_s: file.turn_ttl_s,
            sdk_prompts: file.sdk_prompts,
            credentials: file.credentials,
            tokens: Tokens {
                agent: Token::new(&file.tokens.agent),
                ingress: Token::new(&file.tokens.ingress),
                tool: Token::new(&file.tokens.tool),
                listen: file.tokens.listen.as_deref().map(Token::new),
            },
        })
    }

    /// Writes the file, mode 0600.
    pub fn write(&self, path: &Path) -> Result<(), HookError> {
        let text = self.text().map_err(|error| HookError::file(path, error))?;
        files::write(path, &text, 0o600, true)
    }

    /// The text of the file. It holds the tokens.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        let file = File {
            server: self.server.to_string(),
            ca_file: self.ca_file.clone(),
            principal: self.principal.clone(),
            actor: self.actor.clone(),
            more_actors: self.more_actors.clone(),
            channel: self.channel.clone(),
            state: self.state.clone(),
            review_wait_s: self.review_wait_s,
            request_timeout_s: self.request_timeout_s,
            turn_ttl_s: self.turn_ttl_s,
            sdk_prompts: self.sdk_prompts,
            credentials: self.credentials.clone(),
            tokens: FileTokens {
                agent: self.tokens.agent.reveal().to_owned(),
                ingress: self.tokens.ingress.reveal().to_owned(),
                tool: self.tokens.tool.reveal().to_owned(),
                listen: self
                    .tokens
                    .listen
                    .as_ref()
                    .map(|token| token.reveal().to_owned()),
            },
        };
        Ok(format!("{HEADER}{}", toml::to_string(&file)?))
    }

    /// A client of the server, without a token. Nothing is connected yet.
    pub fn client(&self) -> Result<Client, ClientError> {
        let options = Options {
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: Duration::from_secs(self.request_timeout_s),
            ca_file: self.ca_file.clone(),
        };
        Client::new(self.server.clone(), options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn config() -> Config {
        Config {
            server: "http://127.0.0.1:8787".parse().unwrap(),
            ca_file: None,
            principal: "user:jo".to_owned(),
            actor: "agent:claude-code".to_owned(),
            more_actors: Vec::new(),
            channel: "claude-code".to_owned(),
            state: "/tmp/state".into(),
            review_wait_s: 5,
            request_timeout_s: 15,
            turn_ttl_s: 60,
            sdk_prompts: SdkPrompts::System,
            credentials: [("agent".to_owned(), "01A".to_owned())].into(),
            tokens: Tokens {
                agent: Token::new("cs_a"),
                ingress: Token::new("cs_i"),
                tool: Token::new("cs_t"),
                listen: None,
            },
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hooks/claude-code.toml");
        assert!(Config::find(&path).unwrap().is_none());
        config().write(&path).unwrap();
        let read = Config::read(&path).unwrap();
        assert_eq!((read.review_wait_s, read.tokens.tool.reveal()), (5, "cs_t"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = Config::read(&path).err().unwrap().to_string();
        assert!(error.contains("0644"), "{error}");
    }

    #[test]
    fn an_error_does_not_print_a_token() {
        let error = Config::parse("server = \"http://a\"\n[tokens]\nagent = \"cs_secret\" oops\n");
        let error = error.err().unwrap();
        assert!(
            error.starts_with("line 3") && !error.contains("cs_secret"),
            "{error}"
        );
    }
}
