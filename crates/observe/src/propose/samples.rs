//! Cases for a guessed bundle, from arguments that are made up after the tools' schemas. Only those
//! that hold are kept.

use std::collections::BTreeMap;

use countersign_core::document::{ArgumentRole, BundleContent, Effect, TargetType, ToolManifest};
use countersign_judge::CompiledBundle;
use countersign_judge::cases::Cases;
use serde::Serialize;
use serde_json::{Map, Value};

/// The file that they stand in.
const FILE: &str = "cases/starter.toml";
/// Deepest nesting of arguments that are made up.
const DEPTH: usize = 8;
/// Longest text that is made up, and most items of a list.
const LONGEST: u64 = 256;

/// What leads somewhere.
const LINK: &str = "see https://elsewhere.example/page";

const HEAD: &str = "\
# Guess. What the starter policies decide, over arguments that are made up. Change them with the policies:
# `countersign policy test DIR` holds them.

";

#[derive(Serialize)]
struct File {
    case: Vec<Case>,
}

#[derive(Clone, Serialize)]
struct Case {
    name: String,
    tool: String,
    turn: Turn,
    expect: &'static str,
    args: Value,
}

/// The words, or `false`: nobody asked.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Turn {
    Words(String),
    Nobody(bool),
}

/// The file of cases that hold, if there are any.
pub(super) fn cases(content: &BundleContent, bundle: &CompiledBundle) -> Option<(String, String)> {
    let all: Vec<Case> = content.tools.iter().flat_map(of_tool).collect();
    let kept: Vec<Case> = match held(&all, bundle) {
        Some(held) => {
            let judged = all.into_iter().zip(held);
            judged
                .filter_map(|(case, held)| held.then_some(case))
                .collect()
        }
        // One that cannot be read spoils the file.
        None => {
            let holds = |case: &Case| held(std::slice::from_ref(case), bundle) == Some(vec![true]);
            all.into_iter().filter(holds).collect()
        }
    };
    if kept.is_empty() {
        return None;
    }
    let text = toml::to_string(&File { case: kept }).ok()?;
    Some((FILE.to_owned(), format!("{HEAD}{text}")))
}

/// Which of the cases hold; none if they cannot be read.
fn held(cases: &[Case], bundle: &CompiledBundle) -> Option<Vec<bool>> {
    let file = File {
        case: cases.to_vec(),
    };
    let text = toml::to_string(&file).ok()?;
    let read = Cases::read(&[(FILE.to_owned(), text)], bundle).ok()?;
    let held = read
        .run(bundle)
        .map(|outcome| outcome.is_ok_and(|outcome| outcome.mismatches.is_empty()));
    Some(held.collect())
}

fn of_tool(tool: &ToolManifest) -> Vec<Case> {
    let mut maker = Maker::of(tool);
    let Some(args) = maker.value("", &tool.arguments, 0) else {
        return Vec::new();
    };
    let named = match maker.named.is_empty() {
        true => "this".to_owned(),
        false => maker.named.join(" and "),
    };
    let verb = tool.words.get("en").and_then(|words| words.verbs.first());
    let verb = verb.map_or("do", String::as_str);
    let asked = Turn::Words(format!("Please {verb} {named} now"));
    let vague = Turn::Words("Do as you like".to_owned());
    let case = |what: &str, turn: &Turn, expect: &'static str| Case {
        name: format!("{}: {what}", tool.tool),
        tool: tool.tool.clone(),
        turn: turn.clone(),
        expect,
        args: args.clone(),
    };
    let nobody = case("nobody asked", &Turn::Nobody(false), "rejected");
    let mut leading = Maker {
        link: Some(LINK),
        ..Maker::of(tool)
    };
    let leading = leading
        .value("", &tool.arguments, 0)
        .filter(|_| leading.link.is_none())
        .map(|args| Case {
            args,
            ..case("a text leads where nobody said", &asked, "escalated")
        });
    match tool.effect {
        Effect::Read => vec![case("somebody asked", &vague, "approved"), nobody],
        _ => vec![
            case("the turn names what it acts on", &asked, "approved"),
            case("it acts on what nobody named", &vague, "escalated"),
            nobody,
        ]
        .into_iter()
        .chain(leading)
        .collect(),
    }
}

/// Makes up arguments.
struct Maker<'a> {
    root: &'a Value,
    roles: &'a BTreeMap<String, ArgumentRole>,
    /// The targets, by their places without indices.
    targets: BTreeMap<String, TargetType>,
    /// What identities were given.
    named: Vec<String>,
    /// What the first text is to hold.
    link: Option<&'static str>,
}

impl<'a> Maker<'a> {
    fn of(tool: &'a ToolManifest) -> Self {
        let targets = tool.targets.iter().map(|target| {
            let at = match target.at.strip_prefix('$') {
                Some(path) => path.replace("[*]", "").replace('.', "/"),
                None => target.at.clone(),
            };
            (at, target.kind)
        });
        Self {
            root: &tool.arguments,
            roles: &tool.roles,
            targets: targets.collect(),
            named: Vec::new(),
            link: None,
        }
    }

    /// A value that fits the schema, as far as that can be told simply.
    fn value(&mut self, at: &str, schema: &Value, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let inner = self.root.pointer(reference.strip_prefix('#')?)?;
            return self.value(at, inner, depth + 1);
        }
        let given = schema.get("const").or_else(|| schema.get("enum")?.get(0));
        if let Some(given) = given {
            return Some(given.clone());
        }
        for options in ["anyOf", "oneOf"] {
            if let Some(options) = schema.get(options).and_then(Value::as_array) {
                let is_null = |option: &&Value| option.get("type") == Some(&Value::from("null"));
                let first = options.iter().find(|option| !is_null(option))?;
                return self.value(at, first, depth + 1);
            }
        }
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(Value::Array(kinds)) => kinds
                .iter()
                .filter_map(Value::as_str)
                .find(|kind| *kind != "null")?,
            _ => "string",
        };
        match kind {
            "object" => self.object(at, schema, depth),
            "array" => {
                let empty = Value::Object(Map::new());
                let items = schema.get("items").unwrap_or(&empty);
                let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1);
                let count = least.clamp(1, LONGEST);
                (0..count)
                    .map(|_| self.value(at, items, depth + 1))
                    .collect()
            }
            "boolean" => Some(Value::from(false)),
            "integer" | "number" => Some(self.number(at, schema)),
            _ => Some(Value::from(self.text(at, schema))),
        }
    }

    fn object(&mut self, at: &str, schema: &Value, depth: usize) -> Option<Value> {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| {
            required.is_some_and(|names| names.iter().any(|required| required == name))
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let mut out = Map::new();
        for (name, property) in properties.into_iter().flatten() {
            let at = countersign_core::json::pointer::member(at, name);
            let is_target = self.targets.keys().any(|target| {
                target
                    .strip_prefix(at.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            if is_required(name) || is_target {
                out.insert(name.clone(), self.value(&at, property, depth + 1)?);
            }
        }
        Some(Value::Object(out))
    }

    fn number(&mut self, at: &str, schema: &Value) -> Value {
        let least = ["minimum", "exclusiveMinimum"]
            .iter()
            .find_map(|name| schema.get(*name)?.as_i64());
        let number = least.map_or(4821, |least| least.saturating_add(1));
        if self.is_identity(at) {
            self.named.push(number.to_string());
        }
        Value::from(number)
    }

    fn text(&mut self, at: &str, schema: &Value) -> String {
        let n = self.named.len() + 1;
        let text = match (self.targets.get(at), self.is_identity(at)) {
            (Some(TargetType::Path), _) => format!("/srv/example-{n}.txt"),
            (Some(TargetType::Url), _) => format!("https://docs.example/page-{n}"),
            (Some(TargetType::Email), _) => format!("someone-{n}@mail.example"),
            (Some(TargetType::Domain), _) => format!("host-{n}.example"),
            (Some(TargetType::Id), _) | (None, true) => format!("example-{n}"),
            (None, false) if self.link.is_some() => {
                return self.link.take().unwrap_or_default().to_owned();
            }
            (None, false) => {
                let least = schema.get("minLength").and_then(Value::as_u64);
                let repeated = least.unwrap_or(0).min(LONGEST) / 4 + 1;
                return vec!["text"; usize::try_from(repeated).unwrap_or(1)].concat();
            }
        };
        self.named.push(text.clone());
        text
    }

    /// Whether the argument's own or nearest role above says so.
    fn is_identity(&self, at: &str) -> bool {
        if self.targets.contains_key(at) {
            return true;
        }
        let mut at = at;
        loop {
            if let Some(role) = self.roles.get(at) {
                return *role == ArgumentRole::Identity;
            }
            match at.rfind('/') {
                Some(end) => at = at.get(..end).unwrap_or_default(),
                None => return false,
            }
        }
    }
}
