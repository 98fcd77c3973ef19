//! Telling people of flags: webhooks with Standard Webhooks signatures, chats that take Slack's
//! incoming webhooks, and mail over SMTP.
//!
//! The log is the outbox: each `flag`, `flag-update` and `flag-close` entry is one message to each
//! sink, in the order of the log and at least once. What is kept beside the log is how far each sink
//! has come, what is being tried, and what was given up ([`State`]); no text of a message is. A
//! [`Notifier`] carries it out on threads of its own, reading from a [`Source`].
//!
//! What is sent goes to the address that was looked up and checked, once: no private network, no
//! redirect, no second look-up ([`address`]).
//!
//! It is *not* what raises flags (`countersign-watch`) or reads the log (`countersign-service`; the
//! server of `countersign-cli` joins them), and it knows no SQL.

pub mod address;
mod board;
mod config;
mod files;
mod job;
pub mod limits;
mod message;
mod payload;
mod queue;
mod quiet;
mod retry;
mod run;
mod send;
mod sign;
mod state;
mod text;

pub use board::{Board, SinkStatus};
pub use config::{
    Config, ConfigError, ConfigFile, Mail, MailTls, RawSink, Reach, Sink, SinkName, To, Webhook,
};
pub use files::{Asked, NotifyDir, RequestError};
pub use message::{Change, Message, Opened, OpenedPart, Page, Place, Source, SourceError};
pub use quiet::{QuietError, QuietHours, RawQuiet};
pub use retry::RetryPlan;
pub use run::{Notifier, Parts, StartError};
pub use send::{Outcome, send_test};
pub use sign::{SecretError, SigningSecret, signatures};
pub use state::{Dead, Head, Item, SinkState, State, StateError};
pub use text::defanged;
