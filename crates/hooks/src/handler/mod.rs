//! What is done for an event, whatever shape it came in.
//!
//! Each event costs at most one request, except where a person is asked: a call that waits, and the
//! answer that the assistant got from the person whose turn it is.

mod asked;
mod call;
mod finished;
mod session;
mod turn;

use std::path::Path;

use countersign_client::{Client, ClientError};
use serde_json::value::RawValue;

use crate::config::{Config, SdkPrompts};
use crate::error::HookError;
use crate::state::State;

/// Handles events for one configuration.
pub struct Handler {
    config: Config,
    state: State,
    client: Client,
}

/// Whose words a prompt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// The person's own.
    Person,
    /// A program's that drives the assistant: what the configuration says.
    Program,
    /// The assistant's host's, at a time that was set before.
    Schedule,
    /// The assistant's host's.
    System,
    /// Somebody else's: a mail, a ticket.
    Correspondent,
}

/// A prompt.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The session's name, as [`crate::session_name`] makes it.
    pub session: &'a str,
    /// The directory that the assistant is in.
    pub cwd: Option<&'a Path>,
    /// The client's id of the prompt, which the calls of the prompt name.
    pub prompt_id: Option<&'a str>,
    /// An actor that the turn names beside those of the configuration.
    pub actor: Option<&'a str>,
    /// The exact text.
    pub text: &'a str,
    /// Whose words it is.
    pub words: Words,
}

/// What became of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It is a turn, by this ref.
    As(String),
    /// It carries no authority, and no instruction of the person stands that it could rest on: calls
    /// name no turn until the next prompt.
    WithoutMandate,
}

/// A call that an agent wants to make.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The session's name.
    pub session: &'a str,
    /// The client's id of the call.
    pub id: &'a str,
    /// The tool's name.
    pub tool: &'a str,
    /// The arguments, as they were written.
    pub args: &'a RawValue,
    /// The prompt that it follows from.
    pub prompt_id: Option<&'a str>,
    /// The subagent's id and type, if a subagent makes it.
    pub subagent: Option<(&'a str, &'a str)>,
    /// Who makes it, where the configuration's actor does not.
    pub actor: Option<&'a str>,
    /// The directory that relative paths begin at, where the surface has one.
    pub cwd: Option<&'a Path>,
    /// Whether the assistant's host can ask the person whose turn it is.
    pub can_ask: bool,
}

/// What is said to a call.
#[derive(Debug, Clone)]
pub struct Ruling {
    /// Whether it may be made.
    pub verdict: Verdict,
    /// Why, in words for the assistant and its person.
    pub text: String,
    /// The entry of the decision.
    pub entry_id: String,
    /// The rule that counted most, by its id.
    pub reason: Option<String>,
    /// The entry with its proof, as the server answered it.
    pub entry: countersign_wire::RawJson,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// It may if the person whose turn it is says so.
    Ask,
    /// It may not, and a person could still have said otherwise.
    Unanswered,
    /// It may not.
    Refused,
}

/// What a call returned.
#[derive(Debug, Clone, Copy)]
pub struct Finished<'a> {
    /// The session's name.
    pub session: &'a str,
    /// The client's id of the call.
    pub id: &'a str,
    /// The tool's name.
    pub tool: &'a str,
    /// The arguments that it ran with.
    pub args: &'a RawValue,
    /// The result, as it was written.
    pub result: &'a RawValue,
    /// Whether it failed.
    pub is_error: bool,
    /// How long it took, in milliseconds, where the client says so.
    pub duration_ms: Option<u64>,
    /// Whether it certainly ran: then, where the person was asked, the answer was yes.
    pub ran: bool,
}

impl Handler {
    /// A handler. Nothing is connected yet.
    pub fn new(config: Config) -> Result<Self, ClientError> {
        Ok(Self {
            state: State::at(&config.state, &config.channel),
            client: config.client()?,
            config,
        })
    }

    /// What it was configured with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The state that it keeps.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Notes that an event has come in, for `countersign doctor`.
    pub fn saw(&self, event: &str, session: &str) -> Result<(), HookError> {
        self.state.saw(event, session)
    }

    fn agent(&self) -> Client {
        self.client.with_token(self.config.tokens.agent.clone())
    }

    fn ingress(&self) -> Client {
        self.client.with_token(self.config.tokens.ingress.clone())
    }

    fn tool(&self) -> Client {
        self.client.with_token(self.config.tokens.tool.clone())
    }

    /// Whether a prompt is the person's own words.
    fn is_persons(&self, words: Words) -> bool {
        match words {
            Words::Person => true,
            Words::Program => self.config.sdk_prompts == SdkPrompts::Principal,
            Words::Schedule | Words::System | Words::Correspondent => false,
        }
    }
}
