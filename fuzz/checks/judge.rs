//! What holds for any bytes that are read as what the author of a bundle writes, and for any words of
//! a person and any arguments of an agent.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use countersign_core::document::{
    Bundle, BundleContent, Call, Document as _, EntityUid, Evidence, Facts, Intent, Place, Source,
    ToolResult,
};
use countersign_core::json::{self, CanonicalJson};
use countersign_core::limits::BUNDLE_BYTES;
use countersign_judge::{
    ChainTurn, CompiledBundle, Directory, DirectoryError, ExtractInputs, SessionResults, Severity,
    TurnMentions, check, extract, judge,
};
use serde_json::{Value, json};

/// A bundle compiles if and only if checking it finds no error, and what compiles is read again
/// from the text that the log would hold.
pub(crate) fn bundle(data: &[u8]) {
    let Ok(content) = json::parse_as::<BundleContent>(data, BUNDLE_BYTES) else {
        return;
    };
    let tenant: countersign_core::names::TenantId = "acme".parse().unwrap();
    let findings = check(&content, &tenant);
    let is_sound = findings
        .iter()
        .all(|finding| finding.severity != Severity::Error);
    let bundle = Bundle { tenant, content };
    let compiled = CompiledBundle::compile(bundle.clone());
    assert_eq!(compiled.is_ok(), is_sound, "{findings:?}");
    let stored = CompiledBundle::stored(bundle.clone());
    assert!(
        stored.is_ok() || compiled.is_err(),
        "what may be published may be stored"
    );
    if let Ok(stored) = &stored {
        let _judged_or_not = stored.for_extractor(1);
    }
    if compiled.is_ok() {
        let written = CanonicalJson::of(&bundle.content).unwrap();
        let read: BundleContent = json::parse_as(written.as_bytes(), BUNDLE_BYTES).unwrap();
        assert_eq!(read, bundle.content);
    }
}

/// A turn, a line `---`, a quantity, a line `---`, a text and, after one more line, what a tool
/// returned: the facts of a call with these arguments are the same each time, can be committed to, and
/// show where each value stands in the turn; and only a result grounds as a field.
pub(crate) fn facts(data: &[u8]) {
    let data = String::from_utf8_lossy(data);
    let mut parts = data.splitn(4, "\n---\n");
    let turn = parts.next().unwrap_or_default();
    let quantity = parts.next().unwrap_or_default();
    let text = parts.next().unwrap_or_default();
    let quantity = json::parse(quantity.as_bytes(), 64 * 1024)
        .ok()
        .filter(|value: &Value| value.is_number())
        .unwrap_or_else(|| json!(quantity));
    let args = json!({"who": text, "many": quantity, "text": text});
    let returned = parts.next();
    let facts = drawn(turn, &args, returned);
    assert_eq!(facts, drawn(turn, &args, returned));
    facts.reference().unwrap();
    judge(tool(), &facts);
    for value in &facts.values {
        let whole = args.pointer(&value.at).and_then(Value::as_str);
        if let (Some(found), Some(text)) = (value.found, whole) {
            assert!(text.is_char_boundary(usize::try_from(found.offset).unwrap()));
        }
        for evidence in &value.evidence {
            stands(turn, evidence, &value.value);
        }
        let vouched = value.sources.contains(&Source::SystemField);
        assert!(!vouched || returned.is_some_and(|text| !text.is_empty()));
    }
}

/// What is said to stand in the turn stands there.
fn stands(turn: &str, evidence: &Evidence, value: &str) {
    let Place::Turn { offset, .. } = evidence.place else {
        return;
    };
    let written = evidence.as_written.as_deref().unwrap_or(value);
    let from = usize::try_from(offset).unwrap();
    let stands = turn
        .get(from..)
        .is_some_and(|rest| rest.starts_with(written));
    assert!(stands, "{evidence:?}");
}

fn tool() -> &'static CompiledBundle {
    static BUNDLE: OnceLock<CompiledBundle> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let content = json!({
            "name": "fuzz",
            "policies": [{
                "name": "policies/all.cedar",
                "text": r#"
                    @id("asked") permit (principal, action, resource)
                    when { context.asked.verb && context.asked.noun || context.hand_over };
                    @id("strangers") forbid (principal, action, resource)
                    unless { ["user"].containsAll(context.text.sources) };
                "#,
            }],
            "tools": [{
                "tool": "act", "action": "act", "effect": "write",
                "arguments": {
                    "type": "object",
                    "properties": {
                        "who": {"type": "string"},
                        "many": {"type": ["string", "number"]},
                        "text": {"type": "string"},
                    },
                    "additionalProperties": false,
                },
                "roles": {"/who": "identity", "/many": "quantity", "/text": "text"},
                "words": {
                    "en": {"verbs": ["send", "set up"], "nouns": ["mail"]},
                    "de": {"verbs": ["schicken"]},
                },
            }, reader("yaml"), reader("json-text")],
        });
        let bundle = Bundle {
            tenant: "acme".parse().unwrap(),
            content: serde_json::from_value(content).unwrap(),
        };
        CompiledBundle::compile(bundle).unwrap()
    })
}

/// A tool whose results are labelled.
fn reader(format: &str) -> Value {
    json!({
        "tool": format, "action": format, "effect": "read",
        "arguments": {"type": "object", "properties": {}, "additionalProperties": false},
        "results": {"format": format, "fields": [
            {"at": "$[*].id", "integrity": "system"},
            {"at": "$[*].code", "confidentiality": "secret"},
            {"at": "$.owner", "integrity": "first_party"},
            {"at": "$.*~", "integrity": "system"},
        ]},
    })
}

/// The same text, returned by a tool of each format.
fn seen(returned: Option<&str>) -> SessionResults {
    let result = |tool: &str, text: &str| ToolResult {
        tenant: "acme".parse().unwrap(),
        decision: "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap(),
        tool: tool.to_owned(),
        args: Some(json!({})),
        by_agent: false,
        is_error: false,
        duration_ms: None,
        result: json!(text),
        salt: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            .parse()
            .unwrap(),
    };
    let all = returned.into_iter().flat_map(|text| {
        ["yaml", "json-text"].map(|tool| {
            let result = result(tool, text);
            (result.reference().unwrap(), result)
        })
    });
    SessionResults::of(all, tool())
}

struct Nobody;

impl Directory for Nobody {
    fn entity(&self, _: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError> {
        Ok(None)
    }
}

fn drawn(turn: &str, args: &Value, returned: Option<&str>) -> Facts {
    let id = "01HYB7K3M4FXQZ9V2N6PTJD8RC";
    let salt = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let intent: Intent = serde_json::from_value(json!({
        "tenant": "acme", "intent_id": id, "principal": "user:jo@acme.example", "author": "human",
        "channel": "chat", "session": "s", "actors": ["agent:a"],
        "parts": [{"by": "principal", "media_type": "text/plain", "text": turn, "raw_sha256": null}],
        "parent": null, "mandate": null, "registered_by": id, "assurance": "separate",
        "issued_at": "2026-04-18T02:13:40.000Z", "expires_at": "2026-04-18T03:13:40.000Z",
        "salt": salt,
    }))
    .unwrap();
    let call = Call {
        tenant: "acme".parse().unwrap(),
        tool: "act".to_owned(),
        args_sha256: CanonicalJson::of(args).unwrap().digest(),
        args: args.clone(),
        external_call_id: None,
        wire: None,
        workspace: None,
        definition: None,
        salt: salt.parse().unwrap(),
    };
    let chain = [ChainTurn {
        intent_ref: intent.reference().unwrap(),
        entry: id.parse().unwrap(),
        intent: &intent,
        mentions: &TurnMentions::of(&intent),
    }];
    extract(&ExtractInputs {
        tenant: &"acme".parse().unwrap(),
        salt: salt.parse().unwrap(),
        now: "2026-04-18T02:13:44.000Z".parse().unwrap(),
        actor: &"agent:a".parse().unwrap(),
        bundle: tool(),
        call: &call,
        call_ref: call.reference().unwrap(),
        claimed_intent: Some(chain[0].intent_ref),
        chain: &chain,
        results: &seen(returned),
        directory: &Nobody,
        directory_revision: None,
        credential: id.parse().unwrap(),
        review: None,
        counters: &[],
        history: None,
    })
    .unwrap()
}
