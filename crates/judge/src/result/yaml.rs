//! YAML 1.2 as far as every reader of it agrees: one document of mappings, lists and scalars.
//!
//! What readers could take differently (anchors, tags, merge keys, a key twice, characters that are
//! line breaks to some) makes the whole text a text. Scalars stay the text that stands there:
//! `1.10` is no number, `yes` no truth value.

use countersign_core::limits::{JSON_DEPTH, JSON_VALUES};
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// The tree of a YAML text: objects, lists, strings and nulls. `None` if it is no such text, or only
/// a scalar.
pub(super) fn read(text: &str) -> Option<Value> {
    if text.starts_with('%') || text.contains("\n%") || !is_plain(text) {
        return None;
    }
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, _) = event.ok()?;
        builder.take(event)?;
    }
    builder
        .done
        .filter(|value| value.is_object() || value.is_array())
}

/// Whether every reader sees the same lines: YAML 1.1 breaks them at U+0085, U+2028 and U+2029, some
/// readers take a single carriage return for a break, and tabs do not indent.
fn is_plain(text: &str) -> bool {
    let mut indents = true;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\n' => true,
            '\r' => chars.peek() == Some(&'\n'),
            '\t' => !indents,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
            c => !c.is_control(),
        };
        if !plain {
            return false;
        }
        indents = c == '\n' || indents && c == ' ';
    }
    true
}

enum Open {
    List(Vec<Value>),
    /// With the key whose value comes next.
    Map(Map<String, Value>, Option<String>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    values: usize,
    documents: usize,
    done: Option<Value>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Option<()> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Some(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                (self.documents == 1).then_some(())
            }
            Event::Scalar(text, style, 0, None) => self.scalar(&text, style),
            Event::SequenceStart(0, None) => self.begin(Open::List(Vec::new())),
            Event::MappingStart(0, None) => self.begin(Open::Map(Map::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                let value = match self.open.pop()? {
                    Open::List(items) => Value::Array(items),
                    Open::Map(members, _) => Value::Object(members),
                };
                self.put(value)
            }
            Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::MappingStart(..) => None,
        }
    }

    fn begin(&mut self, open: Open) -> Option<()> {
        let is_key = matches!(self.open.last(), Some(Open::Map(_, None)));
        self.count()?;
        if is_key || self.open.len() >= JSON_DEPTH {
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle) -> Option<()> {
        self.count()?;
        let nothing =
            style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
        if let Some(Open::Map(members, key @ None)) = self.open.last_mut() {
            if nothing || text == "<<" || members.contains_key(text) {
                return None;
            }
            *key = Some(text.to_owned());
            return Some(());
        }
        self.put(if nothing {
            Value::Null
        } else {
            Value::String(text.to_owned())
        })
    }

    fn put(&mut self, value: Value) -> Option<()> {
        match self.open.last_mut() {
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map(members, key)) => {
                members.insert(key.take()?, value);
            }
            None if self.done.is_none() => self.done = Some(value),
            None => return None,
        }
        Some(())
    }

    fn count(&mut self) -> Option<()> {
        self.values += 1;
        (self.values <= JSON_VALUES).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn scalars_are_the_text_that_stands_there() {
        let text = "- id_: 1.10\n  on: yes\n  at: 2024-05-15 10:00\n  none: null\n  tilde: ~\n  empty:\n  \
                    quoted: 'null'\n  words: \"a\\tb\"\n  block: |\n    sender: x\n    y\n  folded: >-\n    a\n    b\n  flow: {a: [1, 0x1F]}\n";
        let expected = json!([{
            "id_": "1.10", "on": "yes", "at": "2024-05-15 10:00", "none": null, "tilde": null,
            "empty": null, "quoted": "null", "words": "a\tb", "block": "sender: x\ny\n",
            "folded": "a b", "flow": {"a": ["1", "0x1F"]},
        }]);
        assert_eq!(read(text), Some(expected));
        assert_eq!(read("---\na: 1\n...\n"), Some(json!({"a": "1"})));
        assert_eq!(read("a: 1\r\nb: 2\r\n"), Some(json!({"a": "1", "b": "2"})));
    }

    #[test]
    fn what_readers_could_take_differently_is_text() {
        for text in [
            "a: &x 1\nb: *x\n",
            "a: &x 1\n",
            "<<: {a: 1}\nb: 2\n",
            "b: 2\n\"<<\": {a: 1}\n",
            "a: !!python/object/apply:os.system [ls]\n",
            "a: !!str 1\n",
            "! a: 1\n",
            "a: 1\na: 2\n",
            "a: 1\n\"a\": 2\n",
            "a: 1\n---\nb: 2\n",
            "%YAML 1.1\n---\na: 1\n",
            "a: 1\n%TAG ! x:\n",
            "a: 'x\u{85}sender: y'\n",
            "a: x\u{2028}b: y\n",
            "a: x\u{2029}b: y\n",
            "a: 1\rb: 2\n",
            "\u{feff}a: 1\n",
            "a:\n\tb: 1\n",
            "a:\n  \tb: 1\n",
            "a: \u{0}\n",
            "a: \u{1b}[1m\n",
            "? [a, b]\n: 1\n",
            "? {a: 1}\n: 1\n",
            ": 1\n",
            "null: 1\n",
            "~: 1\n",
            "just words",
            "'quoted words'",
            "42",
            "",
            "# nothing\n",
            "{a: 1",
            "a: [1, 2\nb: 3",
            "a: b: c\n",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn depth_and_number_of_values_are_limited() {
        let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(&nest(64)).is_some());
        assert_eq!(read(&nest(65)), None);
        assert_eq!(read(&"[".repeat(1_000_000)), None);
        assert_eq!(read(&"- ".repeat(1_000_000)), None);
        assert_eq!(read(&"? ".repeat(100_000)), None);
        assert!(read(&"- a\n".repeat(1000)).is_some());
        assert_eq!(read(&format!("[{}]", "a,".repeat(1_000_001))), None);
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "[-?:,\\[\\]{}#&*!|>'\"%@` \\n\\ra-c0-9~<\\t.\u{85}]{0,60}") {
            let _ = read(&text);
        }

        #[test]
        fn arbitrary_lines_never_panic(lines in proptest::collection::vec("( {0,4}(- |\\? )?(a|b|'c'|\"d\"|\\[x|\\{y)?(: )?(\\||>[-+]?|[a-z ]{0,5}|'x|\"y|\\]|\\}))", 0..12)) {
            let _ = read(&lines.join("\n"));
        }

        // JSON is YAML: a text that both read is the same tree, but for the types of scalars.
        #[test]
        fn a_json_text_is_the_same_tree(keys in proptest::collection::btree_map("[ -~]{1,12}", "[ -~]{0,20}", 1..6)) {
            let text = serde_json::to_string(&keys).unwrap();
            if !keys.contains_key("<<") && !text.contains("\\u007f") {
                let expected: Value = serde_json::to_value(&keys).unwrap();
                prop_assert_eq!(read(&text), Some(expected), "{}", text);
            }
        }
    }
}
