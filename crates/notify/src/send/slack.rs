//! The body of a chat's incoming webhook: Slack's, and those that take the same.

use countersign_core::time::Timestamp;
use serde_json::{Value, json};

use crate::text::{Line, Told, defanged, escaped};

/// `text` alone: what understands no blocks shows the same. Nothing is unfurled.
pub(super) fn body(told: &Told<'_>, now: Timestamp, link: Option<&str>) -> Value {
    let names = told.chosen_names();
    let mut text = own(&told.subject(), &names);
    for line in told.lines(now, link) {
        text.push('\n');
        match line {
            Line::Own(line) => text.push_str(&own(&line, &names)),
            Line::Foreign(line) => {
                text.push_str("> ");
                text.push_str(&defanged(&line));
            }
        }
    }
    json!({"text": text, "unfurl_links": false, "unfurl_media": false})
}

/// Our own words. Where a credential is for a prefix of names, the rest of a name is the agent's own
/// choice, and can look like a mention or a link.
fn own(line: &str, names: &[&str]) -> String {
    let mut text = escaped(line);
    for name in names {
        text = text.replace(name, &defanged(name));
    }
    text
}

#[cfg(test)]
mod tests {
    use countersign_core::entry::{Detector, Severity};

    use super::*;
    use crate::message::{Change, Message, Place};

    fn flag_of(actor: &str) -> Message {
        let id = "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap();
        Message {
            place: Place { index: 7, id },
            at: Timestamp::from_millis(0),
            change: Change::Raised,
            flag: id,
            detector: Detector::Unmandated,
            severity: Severity::Warning,
            actor: Some(actor.parse().unwrap()),
            onset: id,
            onset_at: None,
            turn: None,
            after: None,
            count: 1,
            stopped: Some(1),
            passed: Some(0),
            entries: vec![id],
            origin: "log.example/log/acme/1".to_owned(),
        }
    }

    #[test]
    fn a_name_that_an_agent_chose_is_no_mention_and_no_link() {
        let names = ["agent:a/@channel", "agent:a/www.evil.example/_x_"];
        let messages: Vec<Message> = names.iter().map(|name| flag_of(name)).collect();
        let now = Timestamp::from_millis(0);
        let told = |told: Told<'_>| body(&told, now, None)["text"].as_str().unwrap().to_owned();
        let digest = told(Told::Digest {
            messages: &messages,
            more: 0,
        });
        let one = |message| {
            told(Told::One {
                message,
                opened: None,
            })
        };
        for text in [digest, one(&messages[0]), one(&messages[1])] {
            for whole in ["@channel", "evil.example", "_x_"] {
                assert!(!text.contains(whole), "`{whole}` in {text}");
            }
            assert!(text.contains("agent:"), "{text}");
        }
    }
}
