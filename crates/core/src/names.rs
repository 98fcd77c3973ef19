//! Names with a strict syntax. They are what may stand in a leaf as text, so each admits only
//! characters that cannot carry a message, and has a length limit.

use crate::text::checked_string;

/// A name that does not fit its syntax.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no {what}: allowed is {allowed}")]
pub struct NameError {
    what: &'static str,
    allowed: &'static str,
    found: String,
}

impl NameError {
    pub(crate) fn new(what: &'static str, allowed: &'static str, found: &str) -> Self {
        let shown: String = found
            .chars()
            .take(80)
            .flat_map(char::escape_debug)
            .collect();
        Self {
            what,
            allowed,
            found: shown,
        }
    }
}

checked_string! {
    /// The canonical dotted verb of a call, such as `email.send`.
    ActionName, "action", "lower-case words of a-z, 0-9, _ and - joined by dots, at most 128 bytes",
    |s| s.len() <= 128 && s.split('.').all(|word| is_word(word, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-'))
}

checked_string! {
    /// Who makes a call, such as `agent:support-v3`.
    ActorName, "actor", "a lower-case class, a colon, then a-z, A-Z, 0-9 and ._/@-, at most 128 bytes",
    is_actor
}

checked_string! {
    /// The id of a policy or of a built-in reason, such as `no-churned-contacts` or `countersign.no-target`.
    ReasonId, "policy id", "a-z, A-Z, 0-9, ., _ and -, beginning with a letter or digit, at most 128 bytes",
    |s| s.len() <= 128 && is_word(s, |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) && starts_alphanumeric(s)
}

checked_string! {
    /// The way by which a turn came in, such as `support-inbox`.
    ChannelName, "channel", "a-z, 0-9, ., _ and -, beginning with a letter or digit, at most 64 bytes",
    |s| s.len() <= 64 && is_word(s, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')) && starts_alphanumeric(s)
}

checked_string! {
    /// The opaque id of a tenant; witnesses see it.
    TenantId, "tenant id", "a-z, 0-9 and -, beginning with a letter or digit, at most 63 bytes",
    |s| s.len() <= 63 && is_word(s, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') && starts_alphanumeric(s)
}

checked_string! {
    /// The id that an ingress gives to a session. Not in leaves: a pseudonym stands for it there.
    SessionId, "session id", "visible ASCII characters, at most 128 bytes",
    |s| s.len() <= 128 && is_word(s, |b| b.is_ascii_graphic())
}

checked_string! {
    /// Who a turn's words are from, such as `user:jo@acme.example`. Not in leaves.
    PrincipalName, "principal", "text without control characters, at most 256 bytes",
    |s| !s.is_empty() && s.len() <= 256 && !s.chars().any(char::is_control)
}

checked_string! {
    /// The origin of a log: what its checkpoints and signatures name.
    Origin, "origin", "visible ASCII characters without +, at most 255 bytes",
    |s| s.len() <= 255 && is_word(s, |b| b.is_ascii_graphic() && b != b'+')
}

checked_string! {
    /// Which code judged: product, engine and extractor with their versions.
    JudgeVersion, "judge version", "a-z, 0-9, space and .;+-, at most 128 bytes",
    |s| s.len() <= 128 && is_word(s, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b' ' | b'.' | b';' | b'+' | b'-'))
}

checked_string! {
    /// A key in its text form: a C2SP verifier key, or base64 of a raw public key.
    KeyText, "key", "visible ASCII characters, at most 4,096 bytes",
    |s| s.len() <= 4096 && is_word(s, |b| b.is_ascii_graphic())
}

checked_string! {
    /// The signed head of an earlier log, as the text of a C2SP checkpoint.
    CheckpointText, "checkpoint", "text of lines without control characters, at most 8,192 bytes",
    |s| !s.is_empty() && s.len() <= 8192 && !s.chars().any(|c| c.is_control() && c != '\n')
}

impl ActionName {
    /// The action of a tool that no manifest names.
    pub fn unknown() -> Self {
        Self("countersign.unknown".to_owned())
    }
}

impl ActorName {
    /// Whether a credential's pattern covers this actor: an exact name, or a prefix ending in `/`.
    pub fn matches(&self, pattern: &str) -> bool {
        if pattern.ends_with('/') {
            self.0.starts_with(pattern)
        } else {
            self.0 == pattern
        }
    }
}

impl ActorName {
    /// Every pattern that covers this actor: its name, and each of its prefixes that ends in `/`.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        let prefixes = self
            .0
            .match_indices('/')
            .filter_map(|(at, _)| self.0.get(..=at));
        prefixes.chain(Some(self.0.as_str()).filter(|name| !name.ends_with('/')))
    }
}

impl ReasonId {
    /// A built-in reason; `name` is joined to the reserved prefix `countersign.`.
    pub fn builtin(reason: BuiltinReason) -> Self {
        Self(format!("countersign.{}", reason.name()))
    }

    /// Whether the id is in the namespace reserved for built-in reasons.
    pub fn is_builtin(&self) -> bool {
        self.0.starts_with("countersign.")
    }
}

/// Reasons that come from the product itself and not from a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuiltinReason {
    /// Two tries in a row found that what they had read was no longer current.
    Contended,
    /// A policy raised an error while it was evaluated.
    EvaluationError,
    /// The caller may not speak for the actor that it named.
    ForeignActor,
    /// What arrived could not be read as a call.
    MalformedCall,
    /// No rule permits the call.
    NoPermit,
    /// The manifest declares a target, and the call names none.
    NoTarget,
    /// A person who was asked said no.
    ReviewRejected,
    /// The arguments do not fit the manifest's schema.
    SchemaMismatch,
    /// A stop is in force for the actor or for everything.
    Stopped,
    /// The tool's server lists another definition of it than the one that was confirmed.
    ToolChanged,
    /// The call has more targets than a leaf can name.
    TooManyTargets,
    /// The call holds more values than can be traced to where they came from.
    TooManyValues,
    /// A declared counter cannot count the call.
    Uncountable,
    /// A command line cannot be parsed, or does more than can be said beforehand.
    UnparsedCommand,
    /// No manifest names the tool.
    UnknownTool,
    /// A target's value does not parse as its declared type.
    UnreadableTarget,
}

impl BuiltinReason {
    /// The name without its prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contended => "contended",
            Self::EvaluationError => "evaluation-error",
            Self::ForeignActor => "foreign-actor",
            Self::MalformedCall => "malformed-call",
            Self::NoPermit => "no-permit",
            Self::NoTarget => "no-target",
            Self::ReviewRejected => "review-rejected",
            Self::SchemaMismatch => "schema-mismatch",
            Self::Stopped => "stopped",
            Self::ToolChanged => "tool-changed",
            Self::TooManyTargets => "too-many-targets",
            Self::TooManyValues => "too-many-values",
            Self::Uncountable => "uncountable",
            Self::UnknownTool => "unknown-tool",
            Self::UnparsedCommand => "unparsed-command",
            Self::UnreadableTarget => "unreadable-target",
        }
    }

    /// What the reason means, for people.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Contended => "what the verdict rested on kept changing; ask again",
            Self::EvaluationError => "a policy could not be evaluated, which counts as a rejection",
            Self::ForeignActor => "the credential may not speak for this actor",
            Self::MalformedCall => "the request could not be read as a call",
            Self::NoPermit => "no rule permits this call",
            Self::NoTarget => "the call names no target where the tool's manifest requires one",
            Self::ReviewRejected => "a person who was asked said no",
            Self::SchemaMismatch => "the arguments do not fit the schema of the tool's manifest",
            Self::Stopped => "a stop is in force",
            Self::ToolChanged => {
                "the tool's server lists another definition of it than the one that was confirmed"
            }
            Self::TooManyTargets => "the call names more targets than one decision can hold",
            Self::TooManyValues => {
                "the call holds more values than can be traced to where they came from"
            }
            Self::Uncountable => {
                "a declared counter cannot count the call: an amount is below 0, has too many decimal places or is too large"
            }
            Self::UnknownTool => "no manifest in the bundle names this tool",
            Self::UnparsedCommand => {
                "the command line cannot be parsed, or does more than can be said beforehand"
            }
            Self::UnreadableTarget => {
                "a target could not be read as the type that its manifest declares"
            }
        }
    }

    /// Every built-in reason.
    pub const ALL: [Self; 16] = [
        Self::Contended,
        Self::EvaluationError,
        Self::ForeignActor,
        Self::MalformedCall,
        Self::NoPermit,
        Self::NoTarget,
        Self::ReviewRejected,
        Self::SchemaMismatch,
        Self::Stopped,
        Self::ToolChanged,
        Self::TooManyTargets,
        Self::TooManyValues,
        Self::Uncountable,
        Self::UnknownTool,
        Self::UnparsedCommand,
        Self::UnreadableTarget,
    ];

    /// Whether it is found beside the judge, before there are facts or at the commit: a decision that
    /// gives it cannot be judged again.
    pub fn is_beside_the_judge(self) -> bool {
        matches!(
            self,
            Self::Contended
                | Self::ForeignActor
                | Self::MalformedCall
                | Self::Stopped
                | Self::Uncountable
        )
    }

    /// The built-in reason with this id.
    pub fn of(id: &ReasonId) -> Option<Self> {
        let name = id.as_str().strip_prefix("countersign.")?;
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

fn is_word(text: &str, allowed: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

fn starts_alphanumeric(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric())
}

fn is_actor(text: &str) -> bool {
    let Some((class, name)) = text.split_once(':') else {
        return false;
    };
    text.len() <= 128
        && is_word(class, |b| b.is_ascii_lowercase() || b == b'-')
        && is_word(name, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'@' | b'-')
        })
        && starts_alphanumeric(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_carry_a_message_are_refused() {
        for bad in [
            "",
            "agent",
            "agent:",
            ":x",
            "Agent:x",
            "agent:a b",
            "agent:-x",
            "agent:a\n",
            "agent:é",
        ] {
            assert!(bad.parse::<ActorName>().is_err(), "{bad:?}");
        }
        for bad in [
            "",
            "email..send",
            ".send",
            "email.",
            "Email.send",
            "email send",
        ] {
            assert!(bad.parse::<ActionName>().is_err(), "{bad:?}");
        }
        assert!("agent:support-v3".parse::<ActorName>().is_ok());
        assert!("countersign.unknown".parse::<ActionName>().is_ok());
    }

    #[test]
    fn a_pattern_is_a_name_or_a_prefix_that_ends_in_a_slash() {
        let actor: ActorName = "agent:team/one".parse().unwrap();
        assert!(actor.matches("agent:team/one"));
        assert!(actor.matches("agent:team/"));
        assert!(!actor.matches("agent:team"));
        assert!(!actor.matches("agent:team/o"));
        let all: Vec<&str> = actor.patterns().collect();
        assert_eq!(all, ["agent:team/", "agent:team/one"]);
        assert!(all.iter().all(|pattern| actor.matches(pattern)));
    }

    #[test]
    fn every_builtin_reason_is_found_by_its_id() {
        for reason in BuiltinReason::ALL {
            assert_eq!(BuiltinReason::of(&ReasonId::builtin(reason)), Some(reason));
        }
    }
}
