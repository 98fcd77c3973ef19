//! Reading a policy, line by line.

use super::{Group, Member, OpaqueText, PolicyLog, PolicyWitness, Quorum, TlogPolicy};
use crate::encoding::from_decimal;
use crate::key::{KeyError, SignatureType, VerifierKey};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// The longest policy that is read, in bytes.
pub const MAX_POLICY_LEN: usize = 1 << 20;

/// The most logs, the most witnesses and the most groups. The specification asks for at least 32.
pub const MAX_DEFINITIONS: usize = 256;

/// Why a text is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The policy is too long.
    #[error("a policy of {got} bytes is longer than the maximum of {MAX_POLICY_LEN}")]
    TooLong {
        /// How many bytes came.
        got: usize,
    },
    /// A line is wrong.
    #[error("line {line}: {problem}")]
    Line {
        /// Which one, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// Nothing says which witnesses are needed.
    #[error("the policy has no `quorum` line; `quorum none` asks for no witnesses")]
    NoQuorum,
}

/// What is wrong with a line of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// A control character other than tab.
    #[error("the control character {byte:#04x} is not allowed")]
    ControlCharacter {
        /// The first one.
        byte: u8,
    },
    /// The first word is none that begins a line.
    #[error("`{word}` is not one of `log`, `witness`, `group`, `quorum`")]
    Keyword {
        /// The word that came.
        word: OpaqueText,
    },
    /// There are too few or too many words.
    #[error("expected `{usage}`")]
    Usage {
        /// How the line is written.
        usage: &'static str,
    },
    /// The key is refused.
    #[error("`{key}` is not a verifier key: {error}")]
    Key {
        /// The key that came.
        key: OpaqueText,
        /// What is wrong with it.
        error: KeyError,
    },
    /// The key is of a type that such a line cannot have.
    #[error("a {role} cannot have a key of type {got}")]
    KeyType {
        /// `log` or `witness`.
        role: &'static str,
        /// The key's type.
        got: SignatureType,
    },
    /// Another log or witness has the same public key.
    #[error("the same public key is on line {first} already")]
    DuplicateKey {
        /// The earlier line.
        first: usize,
    },
    /// The name is in use, or means something else.
    #[error("the name `{name}` is taken")]
    NameTaken {
        /// The name that came.
        name: OpaqueText,
    },
    /// Nothing above has this name.
    #[error("no witness or group named `{name}` is defined above this line")]
    UnknownName {
        /// The name that came.
        name: OpaqueText,
    },
    /// A name is a group's member already.
    #[error("`{name}` is a member of a group already")]
    MemberTwice {
        /// The name that came.
        name: OpaqueText,
    },
    /// The number of needed members is not possible.
    #[error("`{got}` is not `all`, `any` or a number from 1 to {members}, the number of members")]
    Threshold {
        /// What came.
        got: OpaqueText,
        /// How many members are listed.
        members: usize,
    },
    /// There is a quorum already.
    #[error("there is more than one `quorum` line")]
    SecondQuorum,
    /// There are too many logs, witnesses or groups.
    #[error("there are more than {MAX_DEFINITIONS} {what}")]
    TooMany {
        /// Which of them.
        what: &'static str,
    },
}

impl TlogPolicy {
    /// Reads a policy. A missing newline at the very end is forgiven.
    pub fn parse(policy: &[u8]) -> Result<Self, PolicyError> {
        if policy.len() > MAX_POLICY_LEN {
            return Err(PolicyError::TooLong { got: policy.len() });
        }
        let mut reader = Reader::default();
        for (line, number) in policy.split(|byte| *byte == b'\n').zip(1..) {
            reader.line = number;
            reader.read(line).map_err(|problem| PolicyError::Line {
                line: number,
                problem,
            })?;
        }
        Ok(Self {
            logs: reader.logs,
            witnesses: reader.witnesses,
            groups: reader.groups,
            quorum: reader.quorum.ok_or(PolicyError::NoQuorum)?,
        })
    }
}

impl FromStr for TlogPolicy {
    type Err = PolicyError;

    fn from_str(policy: &str) -> Result<Self, Self::Err> {
        Self::parse(policy.as_bytes())
    }
}

/// The name that stands for "no witnesses" in a quorum line and cannot be defined.
const NONE: &[u8] = b"none";

#[derive(Default)]
struct Reader {
    line: usize,
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Quorum>,
    names: BTreeMap<OpaqueText, Member>,
    /// Names that are a group's members.
    members: BTreeSet<OpaqueText>,
    /// Public keys and the lines where they stand.
    log_keys: BTreeMap<Vec<u8>, usize>,
    witness_keys: BTreeMap<Vec<u8>, usize>,
}

impl Reader {
    fn read(&mut self, line: &[u8]) -> Result<(), LineProblem> {
        let is_control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
        if let Some(byte) = line.iter().copied().find(|byte| is_control(byte)) {
            return Err(LineProblem::ControlCharacter { byte });
        }
        let words: Vec<&[u8]> = line
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .filter(|word| !word.is_empty())
            .collect();
        match words.split_first() {
            None => Ok(()),
            Some((first, _)) if first.starts_with(b"#") => Ok(()),
            Some((first, rest)) => match *first {
                b"log" => self.log(rest),
                b"witness" => self.witness(rest),
                b"group" => self.group(rest),
                b"quorum" => self.quorum(rest),
                word => Err(LineProblem::Keyword { word: opaque(word) }),
            },
        }
    }

    fn log(&mut self, words: &[&[u8]]) -> Result<(), LineProblem> {
        let (key, url) = match words {
            [key] => (key, None),
            [key, url] => (key, Some(opaque(url))),
            _ => {
                let usage = "log <vkey> [<url>]";
                return Err(LineProblem::Usage { usage });
            }
        };
        let key = parse_key(key, "log", SignatureType::Ed25519)?;
        claim_key(&mut self.log_keys, &key, self.line)?;
        check_count(self.logs.len(), "logs")?;
        self.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness(&mut self, words: &[&[u8]]) -> Result<(), LineProblem> {
        let (name, key, url) = match words {
            [name, key] => (name, key, None),
            [name, key, url] => (name, key, Some(opaque(url))),
            _ => {
                let usage = "witness <name> <vkey> [<url>]";
                return Err(LineProblem::Usage { usage });
            }
        };
        let key = parse_key(key, "witness", SignatureType::CosignatureV1)?;
        claim_key(&mut self.witness_keys, &key, self.line)?;
        check_count(self.witnesses.len(), "witnesses")?;
        let name = self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(PolicyWitness { name, key, url });
        Ok(())
    }

    fn group(&mut self, words: &[&[u8]]) -> Result<(), LineProblem> {
        let [name, threshold, members @ ..] = words else {
            let usage = "group <name> <k|any|all> <name>...";
            return Err(LineProblem::Usage { usage });
        };
        if members.is_empty() {
            let usage = "group <name> <k|any|all> <name>...";
            return Err(LineProblem::Usage { usage });
        }
        let threshold = parse_threshold(threshold, members.len())?;
        let mut found = Vec::with_capacity(members.len());
        for member in members {
            let member = opaque(member);
            found.push(self.lookup(&member)?);
            if !self.members.insert(member.clone()) {
                return Err(LineProblem::MemberTwice { name: member });
            }
        }
        check_count(self.groups.len(), "groups")?;
        let name = self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group {
            name,
            threshold,
            members: found,
        });
        Ok(())
    }

    fn quorum(&mut self, words: &[&[u8]]) -> Result<(), LineProblem> {
        let [name] = words else {
            let usage = "quorum <name|none>";
            return Err(LineProblem::Usage { usage });
        };
        if self.quorum.is_some() {
            return Err(LineProblem::SecondQuorum);
        }
        self.quorum = Some(match *name {
            NONE => Quorum::NoWitnesses,
            name => Quorum::Of(self.lookup(&opaque(name))?),
        });
        Ok(())
    }

    fn lookup(&self, name: &OpaqueText) -> Result<Member, LineProblem> {
        let member = self.names.get(name).copied();
        member.ok_or_else(|| LineProblem::UnknownName { name: name.clone() })
    }

    /// Witnesses and groups share one namespace.
    fn define(&mut self, name: &[u8], member: Member) -> Result<OpaqueText, LineProblem> {
        let name = opaque(name);
        if name.as_bytes() == NONE || self.names.contains_key(&name) {
            return Err(LineProblem::NameTaken { name });
        }
        self.names.insert(name.clone(), member);
        Ok(name)
    }
}

fn opaque(bytes: &[u8]) -> OpaqueText {
    OpaqueText(bytes.to_vec())
}

/// Reads a key of the role's own type; ML-DSA-44 is right for both roles.
fn parse_key(
    text: &[u8],
    role: &'static str,
    expected: SignatureType,
) -> Result<VerifierKey, LineProblem> {
    let parsed = str::from_utf8(text).map_err(|_| KeyError::Shape);
    let key = parsed
        .and_then(VerifierKey::parse)
        .map_err(|error| LineProblem::Key {
            key: opaque(text),
            error,
        })?;
    let got = key.signature_type();
    if got != expected && got != SignatureType::MlDsa44 {
        return Err(LineProblem::KeyType { role, got });
    }
    Ok(key)
}

fn claim_key(
    keys: &mut BTreeMap<Vec<u8>, usize>,
    key: &VerifierKey,
    line: usize,
) -> Result<(), LineProblem> {
    match keys.insert(key.public_key().to_vec(), line) {
        None => Ok(()),
        Some(first) => Err(LineProblem::DuplicateKey { first }),
    }
}

const fn check_count(count: usize, what: &'static str) -> Result<(), LineProblem> {
    if count >= MAX_DEFINITIONS {
        return Err(LineProblem::TooMany { what });
    }
    Ok(())
}

fn parse_threshold(text: &[u8], members: usize) -> Result<usize, LineProblem> {
    let number = || {
        let number = from_decimal(str::from_utf8(text).ok()?)?;
        usize::try_from(number).ok()
    };
    let threshold = match text {
        b"any" => Some(1),
        b"all" => Some(members),
        _ => number().filter(|number| (1..=members).contains(number)),
    };
    threshold.ok_or_else(|| LineProblem::Threshold {
        got: opaque(text),
        members,
    })
}
