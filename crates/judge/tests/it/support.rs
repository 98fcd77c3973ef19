//! A scene: a bundle, turns, results, a directory, and a call in the middle of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_core::document::{
    Assurance, Author, Bundle, BundleContent, Call, Document as _, EntityUid, Facts, Intent,
    PartBy, ReviewFact, Salt, ToolResult, TurnPart,
};
use countersign_core::json::CanonicalJson;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_core::verdict::{Outcome, Verdict};
use countersign_judge::{
    ChainTurn, CompiledBundle, Directory, DirectoryError, ExtractInputs, SessionResults,
    TurnMentions, extract, judge,
};
use serde_json::{Value, json};

pub(crate) const ENTRY: &str = "01HYB7K3M4FXQZ9V2N6PTJD8RC";

pub(crate) fn x<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

pub(crate) fn salt() -> Salt {
    x("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files of a directory, by relative path.
pub(crate) fn files(root: &Path) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                out.push((name, std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    out
}

pub(crate) fn starter(name: &str) -> BundleContent {
    countersign_judge::source::read(&files(&repository().join("bundles").join(name))).unwrap()
}

pub(crate) fn compile(content: BundleContent) -> CompiledBundle {
    let tenant = x("acme");
    // Scenes are about verdicts, not about what an author should rather write.
    CompiledBundle::stored(Bundle { tenant, content }).unwrap_or_else(|error| {
        let text: Vec<String> = error.findings.iter().map(ToString::to_string).collect();
        panic!("{}", text.join("\n"))
    })
}

#[derive(Default, Clone)]
pub(crate) struct Entities(pub(crate) BTreeMap<EntityUid, BTreeMap<String, Value>>);

impl Directory for Entities {
    fn entity(&self, uid: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError> {
        Ok(self.0.get(uid).cloned())
    }
}

pub(crate) struct Scene {
    pub(crate) bundle: CompiledBundle,
    /// The newest first.
    pub(crate) turns: Vec<Intent>,
    pub(crate) results: Vec<ToolResult>,
    pub(crate) directory: Entities,
    /// A person's answer to the escalation of the call.
    pub(crate) review: Option<ReviewFact>,
}

impl Scene {
    pub(crate) fn new(bundle: CompiledBundle) -> Self {
        Self {
            bundle,
            turns: Vec::new(),
            results: Vec::new(),
            directory: Entities::default(),
            review: None,
        }
    }

    pub(crate) fn mail_agent() -> Self {
        Self::new(compile(starter("mail-agent")))
    }

    /// A newer turn of a person, with only his or her words.
    pub(crate) fn says(self, text: &str) -> Self {
        self.turn(Author::Human, &[(PartBy::Principal, text)])
    }

    pub(crate) fn turn(mut self, author: Author, parts: &[(PartBy, &str)]) -> Self {
        let intent = Intent {
            tenant: x("acme"),
            intent_id: x(ENTRY),
            principal: x("user:jo@acme.example"),
            author,
            channel: x("support-inbox"),
            session: x("sess-1"),
            actors: vec![x("agent:support-v3")],
            parts: parts
                .iter()
                .map(|(by, text)| TurnPart {
                    by: *by,
                    media_type: "text/plain".into(),
                    text: (*text).to_owned(),
                    raw_sha256: None,
                })
                .collect(),
            parent: None,
            mandate: None,
            registered_by: x(ENTRY),
            assurance: Assurance::Separate,
            issued_at: x("2026-04-18T02:13:40.000Z"),
            expires_at: x("2026-04-18T03:13:40.000Z"),
            salt: salt(),
        };
        self.turns.insert(0, intent);
        self
    }

    pub(crate) fn result(self, tool: &str, result: Value) -> Self {
        self.result_of(tool, json!({}), result)
    }

    /// The last result was reported by the agent itself.
    pub(crate) fn by_agent(mut self) -> Self {
        self.results.last_mut().unwrap().by_agent = true;
        self
    }

    pub(crate) fn result_of(mut self, tool: &str, args: Value, result: Value) -> Self {
        self.results.push(ToolResult {
            tenant: x("acme"),
            decision: x(ENTRY),
            tool: tool.into(),
            args: Some(args),
            by_agent: false,
            is_error: false,
            duration_ms: None,
            result,
            salt: salt(),
        });
        self
    }

    pub(crate) fn entity(mut self, kind: &str, id: &str, attributes: Value) -> Self {
        let uid = EntityUid {
            kind: kind.into(),
            id: id.into(),
        };
        let attributes = serde_json::from_value(attributes).unwrap();
        self.directory.0.insert(uid, attributes);
        self
    }

    pub(crate) fn facts(&self, call: &Call) -> Facts {
        let mentions: Vec<TurnMentions> = self.turns.iter().map(TurnMentions::of).collect();
        let chain: Vec<ChainTurn<'_>> = self
            .turns
            .iter()
            .zip(&mentions)
            .map(|(intent, mentions)| ChainTurn {
                intent_ref: intent.reference().unwrap(),
                entry: x(ENTRY),
                intent,
                mentions,
            })
            .collect();
        let results = self
            .results
            .iter()
            .map(|result| (result.reference().unwrap(), result.clone()));
        let results = SessionResults::of(results, &self.bundle);
        let claimed: Option<IntentRef> = chain.first().map(|turn| turn.intent_ref);
        extract(&ExtractInputs {
            tenant: &x("acme"),
            salt: salt(),
            now: x("2026-04-18T02:13:44.000Z"),
            actor: &x("agent:support-v3"),
            bundle: &self.bundle,
            call,
            // Arguments that no strict reader lets in have no commitment; they must not harm either.
            call_ref: call.reference().unwrap_or(Sha256::of(b"").into()),
            claimed_intent: claimed,
            chain: &chain,
            results: &results,
            directory: &self.directory,
            directory_revision: None,
            credential: x(ENTRY),
            review: self.review.as_ref(),
            counters: &[],
            history: None,
        })
        .unwrap()
    }

    pub(crate) fn asks(&self, tool: &str, args: Value) -> (Facts, Verdict) {
        let facts = self.facts(&call(tool, args));
        let verdict = judge(&self.bundle, &facts);
        (facts, verdict)
    }

    /// Outcome and reasons.
    pub(crate) fn verdict(&self, tool: &str, args: Value) -> (Outcome, Vec<String>) {
        let (_, verdict) = self.asks(tool, args);
        let reasons = verdict.reasons.iter().map(ToString::to_string).collect();
        (verdict.outcome, reasons)
    }

    /// The sources of the first target.
    pub(crate) fn sources(&self, tool: &str, args: Value) -> Vec<&'static str> {
        let (facts, _) = self.asks(tool, args);
        facts
            .targets
            .first()
            .map(|target| target.sources.iter().map(|source| source.name()).collect())
            .unwrap_or_default()
    }
}

pub(crate) fn call(tool: &str, args: Value) -> Call {
    Call {
        tenant: x("acme"),
        tool: tool.into(),
        args_sha256: CanonicalJson::of(&args).map_or(Sha256::of(b""), |args| args.digest()),
        args,
        external_call_id: None,
        wire: None,
        workspace: None,
        definition: None,
        salt: salt(),
    }
}

pub(crate) fn mail(to: &[&str]) -> Value {
    json!({"to": to, "subject": "Refund", "body": "Here it is."})
}

/// A bundle with one tool per target type: `open.<type>`, argument `it`.
pub(crate) fn each_type(policies: &str) -> BundleContent {
    let tools: Vec<Value> = ["email", "domain", "url", "id", "path"]
        .iter()
        .map(|kind| {
            json!({
                "tool": format!("open.{kind}"),
                "action": format!("open.{kind}"),
                "effect": "write",
                "arguments": {
                    "type": "object",
                    "properties": {"it": {"type": ["string", "integer"]}},
                    "required": ["it"],
                    "additionalProperties": false
                },
                "targets": [{"at": "/it", "type": kind, "entity": format!("The_{kind}")}]
            })
        })
        .collect();
    content(policies, "", json!(tools))
}

pub(crate) fn content(policies: &str, schema: &str, tools: Value) -> BundleContent {
    serde_json::from_value(json!({
        "name": "test",
        "policies": [{"name": "policies/test.cedar", "text": policies}],
        "schema": schema,
        "tools": tools,
    }))
    .unwrap()
}

/// Whether the value, as a target of this type, counts as named in the text.
pub(crate) fn grounded(kind: &str, text: &str, value: &str) -> bool {
    let scene = Scene::new(compile(each_type(
        r#"@id("any") permit (principal, action, resource);"#,
    )))
    .says(text);
    scene
        .sources(&format!("open.{kind}"), json!({"it": value}))
        .contains(&"user")
}
