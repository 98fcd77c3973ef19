//! What a coding assistant or an agent host calls before and after each tool call: the handler of
//! Claude Code's hooks and of the agent-hooks 0.1 contract, and how it gets into a settings file.
//!
//! The handler judges nothing: it asks a server, through `countersign-client`, and says what the
//! server answered in the words of whoever asked. Whatever goes wrong in it is a refusal. It is *not*
//! the MCP relay (`countersign-mcp`), and it reads no command line (`countersign-cli`).
//!
//! - [`Config`]: the file with the hook's own three credentials.
//! - [`State`]: what one handler process leaves for the next: sessions, calls, the last event of each hook.
//! - [`Handler`]: turns, calls, results and sessions, whatever the shape that they came in.
//! - [`claude`]: Claude Code's shapes, and its settings file.
//! - [`agent_hooks`]: the shapes of agent-hooks 0.1.
//! - [`limits`]: every limit, named.

pub mod agent_hooks;
pub mod claude;
mod config;
mod error;
mod files;
mod handler;
pub mod limits;
mod names;
mod owners;
mod places;
mod state;
mod text;
mod workspace;

pub use config::{Config, SdkPrompts, Tokens};
pub use error::HookError;
pub use handler::{Call, Finished, Handler, Registered, Ruling, Turn, Verdict, Words};
pub use names::{actor_of_subagent, session_name};
pub use owners::is_of_root;
pub use places::{config_below, config_file, state_below, state_home};
pub use state::{NewestSession, PROBE, SeenEvent, State};
