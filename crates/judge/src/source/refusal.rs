//! What the reader of a file refuses, in the words of this project: what arrived, what is allowed.

use crate::bundle::nearest;
use crate::finding::Finding;

/// The finding for what a reader says.
pub(super) fn finding(file: &str, said: &str) -> Finding {
    let known = [
        ("unknown variant `", "is not known here"),
        ("unknown field `", "is no member here"),
    ];
    let unknown = known.iter().find_map(|(lead, what)| {
        let (name, rest) = said.strip_prefix(lead)?.split_once('`')?;
        let (_, allowed) = rest.split_once("expected ")?;
        Some((name, *what, allowed))
    });
    if let Some((name, what, allowed)) = unknown {
        let names: Vec<&str> = allowed.split('`').skip(1).step_by(2).collect();
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("`{name}` {what}: allowed are {}", quoted.join(", "));
        let finding = Finding::error(file, message);
        return match nearest(name, names.iter().copied()) {
            Some(near) => finding.hint(format!("did you mean `{near}`?")),
            None => finding,
        };
    }
    let missing = said.strip_prefix("missing field `");
    match missing.and_then(|rest| rest.split_once('`')) {
        Some((name, _)) => Finding::error(file, format!("the member `{name}` is missing")),
        None => Finding::error(file, said),
    }
}

#[cfg(test)]
mod tests {
    use crate::source::read;

    fn found(file: &str, text: &str) -> crate::Finding {
        let files = [(file.to_owned(), text.to_owned())];
        let findings = read(&files).unwrap_err();
        findings.into_iter().find(|one| one.file == file).unwrap()
    }

    #[test]
    fn a_misspelt_word_has_a_place_and_a_hint() {
        let tool = r#"[
  {"tool": "a", "action": "a.do", "effect": "read", "arguments": {}},
  {
    "tool": "b",
    "action": "b.do",
    "arguments": {},
    "effect": "irreversable"
  }
]"#;
        let effect = found("tools/all.json", tool);
        assert_eq!((effect.line, effect.column), (7, 16));
        assert_eq!(
            effect.message,
            "`irreversable` is not known here: allowed are `read`, `write`, `irreversible`"
        );
        assert_eq!(effect.hint.as_deref(), Some("did you mean `irreversible`?"));
        let role = tool.replace("irreversable\"", "write\", \"roles\": {\"/x\": \"txt\"}");
        let role = found("tools/all.json", &role);
        assert_eq!(role.hint.as_deref(), Some("did you mean `text`?"));
        assert_eq!(role.line, 7);
        let member = found("bundle.toml", "name = \"x\"\n[settings]\npermit_ttl = 1\n");
        assert_eq!(member.line, 3);
        assert_eq!(member.hint.as_deref(), Some("did you mean `permit_ttl_s`?"));
        let missing = found("tools/c.json", r#"{"tool": "c", "effect": "read"}"#);
        assert_eq!(missing.message, "the member `action` is missing");
        assert_eq!((missing.line, missing.column), (1, 1));
    }
}
