//! What a result does not show, as a list that machines can read.

use serde::Serialize;

/// Something that the result does not show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotShown {
    /// Which.
    pub code: NotShownCode,
    /// In words.
    pub text: &'static str,
    /// How many entries or documents it concerns, where that can be said.
    pub count: Option<u64>,
}

/// The closed set of what a result may not show. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotShownCode {
    /// Calls that were made around the product.
    CallsNotAsked,
    /// Entries after the checkpoint.
    LaterEntries,
    /// Another history, signed by the same key and shown to others.
    OtherHistories,
    /// That entries were not written anew by whoever has the log key.
    RewrittenByKeyHolder,
    /// The true time.
    WallClock,
    /// That the root key is the operator's.
    RootKeyNotPinned,
    /// What stands in documents that were not given.
    DocumentsNotOpened,
    /// That the judge really says so.
    NotRejudged,
    /// That a turn's words are the person's.
    WordsOfThePerson,
    /// That executions happened as reported.
    ExecutionsAsReported,
    /// Whether an escalation is past its deadline.
    EscalationDeadlines,
    /// How much a session held that was not closed.
    OpenSessions,
    /// That the directory was as the facts say.
    DirectoryAsRecorded,
    /// What entries of unknown kinds mean.
    UnknownKinds,
    /// What any entry says: only the tree was looked at.
    EntriesNotRead,
}

impl NotShown {
    pub(crate) fn of(code: NotShownCode, count: Option<u64>) -> Self {
        Self {
            code,
            text: text(code),
            count,
        }
    }
}

fn text(code: NotShownCode) -> &'static str {
    match code {
        NotShownCode::CallsNotAsked => {
            "calls that an agent made without asking: only what was asked is in the log"
        }
        NotShownCode::LaterEntries => "entries that were committed after this checkpoint",
        NotShownCode::OtherHistories => {
            "whether others were shown another history: cosignatures of witnesses would show it"
        }
        NotShownCode::RewrittenByKeyHolder => {
            "that the unanchored entries were not written anew by whoever has the log key: an earlier checkpoint that you hold, or cosignatures of witnesses, would anchor them"
        }
        NotShownCode::WallClock => {
            "the true time of an entry: times are the operator's, only their order is checked"
        }
        NotShownCode::RootKeyNotPinned => {
            "that the root key is the operator's: it was taken from the log itself, because none was given"
        }
        NotShownCode::DocumentsNotOpened => {
            "what stands in the documents that were not given: only their commitments are checked"
        }
        NotShownCode::NotRejudged => {
            "that the judge comes to the same verdicts: these decisions were not judged again"
        }
        NotShownCode::WordsOfThePerson => {
            "that a turn's words are the person's: that is as sure as the ingress that registered them"
        }
        NotShownCode::ExecutionsAsReported => {
            "that executions happened as reported: the tool's side says so"
        }
        NotShownCode::EscalationDeadlines => {
            "whether an open escalation is past its deadline: this version of the format holds none"
        }
        NotShownCode::OpenSessions => {
            "that sessions which were not closed hold every entry that was written: only a session's end counts them"
        }
        NotShownCode::DirectoryAsRecorded => {
            "that the directory was as the facts say: these changes of it were not given"
        }
        NotShownCode::UnknownKinds => {
            "what entries of kinds unknown to this version mean: only their form, order and place in the tree are checked"
        }
        NotShownCode::EntriesNotRead => {
            "what the entries say, and whether they are entries at all: only the tree over their bytes was checked, and no key, bundle, credential, turn or decision was looked at"
        }
    }
}
