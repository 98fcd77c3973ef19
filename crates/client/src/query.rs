//! Which entries are asked for.

use crate::body::encode;

/// Which entries are asked for. What is left out does not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntriesQuery {
    /// Committed at or after this time (RFC 3339).
    pub since: Option<String>,
    /// Committed before this time.
    pub until: Option<String>,
    /// The kind of entry.
    pub kind: Option<String>,
    /// The actor.
    pub actor: Option<String>,
    /// The action.
    pub action: Option<String>,
    /// The outcome.
    pub outcome: Option<String>,
    /// The `intent_ref`.
    pub intent: Option<String>,
    /// The session: its pseudonym or, for a `vault-reader`, its id.
    pub session: Option<String>,
    /// A target: its pseudonym or, for a `vault-reader`, `Type::id`.
    pub target: Option<String>,
    /// `newest` (default) or `oldest` first.
    pub order: Option<String>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// Most entries on the page.
    pub limit: Option<usize>,
}

impl EntriesQuery {
    /// The query as a URL has it, with its `?`.
    pub(crate) fn to_url(&self) -> String {
        let limit = self.limit.map(|limit| limit.to_string());
        let members = [
            ("since", &self.since),
            ("until", &self.until),
            ("kind", &self.kind),
            ("actor", &self.actor),
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("intent", &self.intent),
            ("session", &self.session),
            ("target", &self.target),
            ("order", &self.order),
            ("cursor", &self.cursor),
            ("limit", &limit),
        ];
        let mut url = String::new();
        for (name, value) in members {
            if let Some(value) = value {
                url.push(if url.is_empty() { '?' } else { '&' });
                url.push_str(name);
                url.push('=');
                url.push_str(&encode(value));
            }
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        let query = EntriesQuery {
            actor: Some("agent:a&limit=1#é".to_owned()),
            limit: Some(3),
            ..EntriesQuery::default()
        };
        assert_eq!(
            query.to_url(),
            "?actor=agent%3Aa%26limit%3D1%23%C3%A9&limit=3"
        );
        assert_eq!(EntriesQuery::default().to_url(), "");
    }
}
