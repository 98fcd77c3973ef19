//! The body of a chat's incoming webhook: Slack's, and those that take the same.

use countersign_core::time::Timestamp;
use serde_json::{Value, json};

use crate::text::{Line, Told, defanged, escaped};

/// `text` alone: what understands no blocks shows the same. Nothing is unfurled.
pub(super) fn body(told: &Told<'_>, now: Timestamp, link: Option<&str>) -> Value {
    let mut text = escaped(&told.subject());
    for line in told.lines(now, link) {
        text.push('\n');
        match line {
            Line::Own(line) => text.push_str(&escaped(&line)),
            Line::Foreign(line) => {
                text.push_str("> ");
                text.push_str(&defanged(&line));
            }
        }
    }
    json!({"text": text, "unfurl_links": false, "unfurl_media": false})
}
