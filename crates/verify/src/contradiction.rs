//! Two signed heads that cannot both be true, as a text that a stranger can check.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_merkle::{HASH_LEN, Hash, MAX_PATH_LEN, TreeSize, verify_consistency};
use countersign_note::{Checkpoint, CheckpointError, Note, SignedCheckpoint, VerifierKey};
use serde::{Serialize, Serializer};

/// The first line of the text.
const FIRST_LINE: &str = "countersign contradiction v1";
/// Longest text that is read, in bytes: two notes of C2SP's longest are more than enough.
pub const MAX_CONTRADICTION_LEN: usize = 4 << 20;
/// What is said to whoever opens the text.
const SAID: &str = "\
# Two heads of one log, both signed by its key, that cannot both be true.
# Check it with `countersign verify --contradiction FILE --key VKEY`, with a key that you got from
# elsewhere; or by hand: check both signatures, then that the sizes are equal and the roots are not,
# or that the consistency proof (RFC 9162 section 2.1.4.2) leads from `root` below to the root of
# the head of more entries, while the head of fewer entries has another root at that size.
";

/// What is said where the sizes differ and there is no proof.
const SAID_WITHOUT_PROOF: &str = "\
# Two heads of one log, both signed by its key. Their sizes differ and there is no proof of what the
# larger tree begins with, so a stranger cannot tell whether one extends the other: the log that
# showed the smaller head may have been rolled back, or have gone on differently.
";

/// Two heads of one log that its key has signed and that cannot both be true. Whoever has the key
/// can check it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// The checkpoint of the log that was checked.
    pub ours: String,
    /// The checkpoint that the caller held.
    pub theirs: String,
    /// Where the sizes differ: what the larger tree begins with. Without it the two notes alone
    /// show nothing to a stranger.
    pub prefix: Option<Prefix>,
}

/// What a tree begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prefix {
    /// How many entries: the size of the smaller head.
    pub size: u64,
    /// The root over them, which is not the smaller head's, in hex.
    #[serde(serialize_with = "hex")]
    pub root: Hash,
    /// The consistency proof from that root to the larger head's, in hex.
    #[serde(serialize_with = "hex_list")]
    pub path: Vec<Hash>,
}

/// A contradiction that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The log.
    pub origin: String,
    /// The sizes of the two heads, the smaller one first.
    pub sizes: (u64, u64),
    /// The key that signed both; two keys if the log's key changed in between.
    pub keys: Vec<VerifierKey>,
}

/// Why a text shows no contradiction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotProven {
    /// The text has not the form of one.
    #[error("this is no contradiction file: {0}")]
    Form(String),
    /// One of the heads is not signed by a key that was given.
    #[error("the {which} head: {error}")]
    Head {
        /// Which one.
        which: &'static str,
        /// Why.
        error: CheckpointError,
    },
    /// The heads are of two logs.
    #[error("the heads are of two logs, `{ours}` and `{theirs}`")]
    Origins {
        /// The first one's.
        ours: String,
        /// The second one's.
        theirs: String,
    },
    /// Both say the same.
    #[error("both heads say the same: {size} entries with the same root")]
    Same {
        /// Of how many entries.
        size: u64,
    },
    /// The sizes differ and nothing shows what the larger tree begins with.
    #[error(
        "the heads are of {0} and {1} entries and the file does not show what the larger tree begins with: one may extend the other"
    )]
    NoPrefix(u64, u64),
    /// What is said of the larger tree does not hold.
    #[error("the consistency proof does not lead to the larger head: {0}")]
    Prefix(String),
    /// The larger tree does begin with the smaller one.
    #[error("the larger tree begins with the smaller one: nothing contradicts")]
    Consistent,
}

impl Contradiction {
    /// Checks it with keys that are not from the text.
    ///
    /// # Errors
    /// Why it shows nothing.
    pub fn prove(&self, keys: &[VerifierKey]) -> Result<Proven, NotProven> {
        let (ours, our_keys) = signed("first", &self.ours, keys)?;
        let (theirs, their_keys) = signed("second", &self.theirs, keys)?;
        if ours.origin() != theirs.origin() {
            return Err(NotProven::Origins {
                ours: ours.origin().to_owned(),
                theirs: theirs.origin().to_owned(),
            });
        }
        let (fewer, more) = match ours.size() < theirs.size() {
            true => (&ours, &theirs),
            false => (&theirs, &ours),
        };
        let sizes = (fewer.size().get(), more.size().get());
        if sizes.0 == sizes.1 {
            if ours.root() == theirs.root() {
                return Err(NotProven::Same { size: sizes.0 });
            }
        } else {
            let none = NotProven::NoPrefix(sizes.0, sizes.1);
            self.prefix.as_ref().ok_or(none)?.check(fewer, more)?;
        }
        let mut keys = our_keys;
        keys.extend(their_keys);
        keys.dedup();
        Ok(Proven {
            origin: ours.origin().to_owned(),
            sizes,
            keys,
        })
    }

    /// The origin and the larger size, as the notes say without being checked.
    pub fn names(&self) -> Option<(String, u64)> {
        let read = |note: &str| {
            let note = Note::parse(note.as_bytes()).ok()?;
            Checkpoint::parse(note.text()).ok()
        };
        let (ours, theirs) = (read(&self.ours)?, read(&self.theirs)?);
        let size = ours.size().max(theirs.size()).get();
        Some((ours.origin().to_owned(), size))
    }

    /// Whether the two notes alone show nothing, as they say without being checked.
    fn is_without_proof(&self) -> bool {
        let size = |note: &str| {
            let note = Note::parse(note.as_bytes()).ok()?;
            Some(Checkpoint::parse(note.text()).ok()?.size())
        };
        self.prefix.is_none() && size(&self.ours) != size(&self.theirs)
    }

    /// The text: parts that are divided by blank lines, since a checkpoint holds just one.
    pub fn to_text(&self) -> String {
        let said = match self.is_without_proof() {
            true => SAID_WITHOUT_PROOF,
            false => SAID,
        };
        let mut text = format!("{FIRST_LINE}\n{said}");
        if let Some(prefix) = &self.prefix {
            let root = STANDARD.encode(prefix.root.as_bytes());
            text.push_str(&format!("size {}\nroot {root}\n", prefix.size));
            for hash in &prefix.path {
                text.push_str(&format!("path {}\n", STANDARD.encode(hash.as_bytes())));
            }
        }
        format!("{text}\n{}\n{}", self.ours, self.theirs)
    }

    /// Reads the text. Nothing is checked yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotProven> {
        let wrong = |what: &str| NotProven::Form(what.to_owned());
        if bytes.len() > MAX_CONTRADICTION_LEN {
            return Err(wrong("it is too long"));
        }
        let text = str::from_utf8(bytes).map_err(|_| wrong("it is not utf-8"))?;
        let text = text
            .strip_suffix('\n')
            .ok_or_else(|| wrong("it does not end in a newline"))?;
        let mut parts = text.split("\n\n");
        let mut part = || parts.next().ok_or_else(|| wrong("it holds no two notes"));
        let header = part()?;
        let ours = format!("{}\n\n{}\n", part()?, part()?);
        let theirs = format!("{}\n\n{}\n", part()?, part()?);
        if parts.next().is_some() {
            return Err(wrong("it goes on after two notes"));
        }
        let prefix = header_prefix(header)?;
        Ok(Self {
            ours,
            theirs,
            prefix,
        })
    }
}

impl Prefix {
    fn check(&self, fewer: &Checkpoint, more: &Checkpoint) -> Result<(), NotProven> {
        if self.size != fewer.size().get() {
            let reason = format!("it is of {} entries", self.size);
            return Err(NotProven::Prefix(reason));
        }
        let size = TreeSize::new(self.size);
        verify_consistency(size, more.size(), &self.path, &self.root, &more.root())
            .map_err(|error| NotProven::Prefix(error.to_string()))?;
        match self.root == fewer.root() {
            true => Err(NotProven::Consistent),
            false => Ok(()),
        }
    }
}

fn signed(
    which: &'static str,
    note: &str,
    keys: &[VerifierKey],
) -> Result<(Checkpoint, Vec<VerifierKey>), NotProven> {
    let parsed = Note::parse(note.as_bytes())
        .map_err(|error| NotProven::Form(format!("the {which} head: {error}")))?;
    let signed =
        SignedCheckpoint::open(&parsed, keys).map_err(|error| NotProven::Head { which, error })?;
    let checkpoint = signed.checkpoint().clone();
    let signers = signed.signatures().iter().map(|signature| signature.key());
    let of_log = signers.filter(|key| key.name().as_str() == checkpoint.origin());
    let of_log = of_log.cloned().collect();
    Ok((checkpoint, of_log))
}

fn header_prefix(header: &str) -> Result<Option<Prefix>, NotProven> {
    let wrong = |line: &str| {
        let line: String = line.chars().take(100).collect();
        NotProven::Form(format!("`{line}` is not understood"))
    };
    let mut lines = header.split('\n');
    if lines.next() != Some(FIRST_LINE) {
        return Err(NotProven::Form(format!(
            "it does not begin with `{FIRST_LINE}`"
        )));
    }
    let mut lines = lines.filter(|line| !line.starts_with('#'));
    let Some(first) = lines.next() else {
        return Ok(None);
    };
    let size = first
        .strip_prefix("size ")
        .and_then(|size| size.parse().ok());
    let size = size.ok_or_else(|| wrong(first))?;
    let root = lines.next().unwrap_or_default();
    let root = hash(root, "root ").ok_or_else(|| wrong(root))?;
    let mut path = Vec::new();
    for line in lines {
        if path.len() == MAX_PATH_LEN {
            return Err(NotProven::Form(format!(
                "it has more than {MAX_PATH_LEN} path lines"
            )));
        }
        path.push(hash(line, "path ").ok_or_else(|| wrong(line))?);
    }
    Ok(Some(Prefix { size, root, path }))
}

fn hash(line: &str, name: &str) -> Option<Hash> {
    let bytes = STANDARD.decode(line.strip_prefix(name)?).ok()?;
    let bytes: [u8; HASH_LEN] = bytes.try_into().ok()?;
    Some(Hash::from_bytes(bytes))
}

fn hex<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(hash)
}

fn hex_list<S: Serializer>(hashes: &[Hash], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(hashes.iter().map(ToString::to_string))
}
