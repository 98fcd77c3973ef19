//! Policy files: parsed with the place of each policy, and held to their annotations.

use std::collections::BTreeMap;

use cedar_policy::{
    Effect, Policy, PolicyId, PolicySet, Schema, ValidationError, ValidationMode,
    ValidationWarning, Validator,
};
use countersign_core::document::{BundleContent, PolicyFile};
use countersign_core::names::ReasonId;

use super::diagnostic;
use super::nearest::nearest;
use super::nesting;
use super::schema::FRAGMENT_FILE;
use crate::finding::Finding;
use crate::limits::{EXPRESSION_DEPTH, FILE_BYTES, POLICIES, READ_DEPTH, REASON_BYTES};

/// One policy and what its author says of it.
pub(crate) struct ReadPolicy {
    pub(crate) policy: Policy,
    pub(crate) reason: Option<String>,
    /// Whether it is a forbid that a person may be asked about.
    pub(crate) escalates: bool,
    pub(crate) text: PolicyText,
    /// Where it begins in the file, in bytes.
    pub(crate) start: usize,
}

/// One policy as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// The file.
    pub file: String,
    /// The line where the policy begins, from 1.
    pub line: u32,
    /// Its text.
    pub text: String,
}

/// How deep the policies nest; `None` if one nests so deep that it cannot be read. Nothing is parsed
/// before that is known. `publishing`: they are held to what may be published.
pub(crate) fn deepest(
    content: &BundleContent,
    publishing: bool,
    findings: &mut Vec<Finding>,
) -> Option<usize> {
    let mut deepest = nesting::deepest(&content.schema).map_or(0, |it| it.depth);
    if deepest > READ_DEPTH {
        let text = format!("the schema nests {deepest} levels, more than {READ_DEPTH}");
        findings.push(Finding::error(FRAGMENT_FILE, text));
    }
    for file in &content.policies {
        for nesting::Nesting { start, depth } in nesting::statements(&file.text) {
            deepest = deepest.max(depth);
            if depth <= EXPRESSION_DEPTH {
                continue;
            }
            let text = format!("the policy nests {depth} levels, more than {EXPRESSION_DEPTH}");
            let finding = Finding::error(&file.name, text)
                .at(&file.text, start)
                .hint("each operator of a chain is a level: write `[…].contains(x)` for many `==`, or several policies");
            findings.push(match publishing || depth > READ_DEPTH {
                true => finding,
                false => finding.into_warning(),
            });
        }
    }
    (deepest <= READ_DEPTH).then_some(deepest)
}

/// Reads all files.
pub(crate) fn read(
    files: &[PolicyFile],
    findings: &mut Vec<Finding>,
) -> BTreeMap<ReasonId, ReadPolicy> {
    let mut out = BTreeMap::new();
    for file in files {
        if file.text.len() > FILE_BYTES {
            let text = format!("{} bytes are more than {FILE_BYTES}", file.text.len());
            findings.push(Finding::error(&file.name, text));
        } else {
            read_file(file, &mut out, findings);
        }
    }
    if out.len() > POLICIES {
        findings.push(Finding::error(
            "policies",
            format!("{} policies are more than {POLICIES}", out.len()),
        ));
    }
    if out.is_empty() && findings.is_empty() {
        findings.push(Finding::warning(
            "policies",
            "the bundle has no policies, so it rejects every call",
        ));
    }
    out
}

fn read_file(
    file: &PolicyFile,
    out: &mut BTreeMap<ReasonId, ReadPolicy>,
    findings: &mut Vec<Finding>,
) {
    let set: PolicySet = match file.text.parse() {
        Ok(set) => set,
        Err(errors) => {
            let errors: cedar_policy::ParseErrors = errors;
            for error in errors.iter() {
                findings.push(diagnostic::finding(&file.name, Some(&file.text), error));
            }
            return;
        }
    };
    let places = statements(&file.text);
    let place = |id: &PolicyId| {
        id.to_string()
            .strip_prefix("policy")
            .and_then(|n| n.parse::<usize>().ok())
            .and_then(|n| places.get(n).copied())
            .unwrap_or((0, file.text.len()))
    };
    for template in set.templates() {
        let (start, _) = place(template.id());
        findings.push(
            Finding::error(&file.name, "a policy cannot be a template")
                .at(&file.text, start)
                .hint("write the value in place of `?principal` or `?resource`"),
        );
    }
    let mut policies: Vec<(&Policy, (usize, usize))> = set
        .policies()
        .map(|policy| (policy, place(policy.id())))
        .collect();
    policies.sort_by_key(|(_, place)| *place);
    for (policy, (start, end)) in policies {
        let text = file.text.get(start..end).unwrap_or_default();
        let found = annotated(
            policy,
            text,
            |finding: Finding| finding.at(&file.text, start),
            file,
            findings,
        );
        let Some((id, reason, escalates)) = found else {
            continue;
        };
        let line = Finding::error("", "").at(&file.text, start).line;
        if let Some(first) = out.get(&id) {
            let first: &ReadPolicy = first;
            findings.push(
                Finding::error(&file.name, format!("two policies have the id `{id}`"))
                    .at(&file.text, start)
                    .hint(format!(
                        "the other is in {}:{}",
                        first.text.file, first.text.line
                    )),
            );
            continue;
        }
        let read = ReadPolicy {
            policy: policy.new_id(PolicyId::new(id.as_str())),
            reason,
            escalates,
            start,
            text: PolicyText {
                file: file.name.clone(),
                line,
                text: text.to_owned(),
            },
        };
        out.insert(id, read);
    }
}

/// What the annotations say: the id, the reason, whether it escalates.
fn annotated(
    policy: &Policy,
    text: &str,
    place: impl Fn(Finding) -> Finding,
    file: &PolicyFile,
    findings: &mut Vec<Finding>,
) -> Option<(ReasonId, Option<String>, bool)> {
    let mut error = |text: String, hint: &str| {
        findings.push(place(Finding::error(&file.name, text)).hint(hint));
    };
    let Some(value) = policy.annotation("id") else {
        error(
            "the policy has no `@id`".to_owned(),
            "write `@id(\"a-name-of-its-own\")` above it; decisions name it as their reason",
        );
        return None;
    };
    let id: ReasonId = match value.parse() {
        Ok(id) => id,
        Err(problem) => {
            error(
                format!("{problem}"),
                "an id stands in the log, so it holds no text",
            );
            return None;
        }
    };
    if id.is_builtin() {
        error(
            format!("the id `{id}` is reserved"),
            "ids beginning with `countersign.` are built in",
        );
        return None;
    }
    // Whoever holds a reason of the log finds its policy by searching the bundle's text.
    if written_id(text) != Some(value) {
        error(
            format!("the id `{id}` is not written as it reads"),
            "write it without escapes, as `@id(\"a-name-of-its-own\")`",
        );
        return None;
    }
    let reason = policy.annotation("reason");
    if reason.is_some_and(|reason| reason.len() > REASON_BYTES) {
        error(
            format!("the `@reason` of `{id}` is longer than {REASON_BYTES} bytes"),
            "one sentence for the person who reads the decision",
        );
    }
    let escalates = policy.annotation("escalate");
    match escalates {
        Some(_) if policy.effect() == Effect::Permit => error(
            format!("the policy `{id}` permits, and so cannot escalate"),
            "`@escalate` belongs to a `forbid`, which a person may then lift for one call",
        ),
        Some(who) if !who.is_empty() && who != "requester" => error(
            format!("`{who}` cannot answer an escalation"),
            "write `@escalate`, or `@escalate(\"requester\")` where the one who asked may answer",
        ),
        _ => {}
    }
    let mut unknown: Vec<&str> = policy
        .annotations()
        .map(|(name, _)| name)
        .filter(|name| !["id", "reason", "escalate"].contains(name))
        .collect();
    unknown.sort_unstable();
    for name in unknown {
        let text = format!("the annotation `@{name}` has no meaning here");
        findings.push(place(Finding::warning(&file.name, text)));
    }
    Some((id, reason.map(str::to_owned), escalates.is_some()))
}

/// Checks all policies against the schema, strictly.
pub(crate) fn validate(
    policies: &BTreeMap<ReasonId, ReadPolicy>,
    schema: &Schema,
    files: &[PolicyFile],
    findings: &mut Vec<Finding>,
) {
    let set = match PolicySet::from_policies(policies.values().map(|read| read.policy.clone())) {
        Ok(set) => set,
        Err(error) => {
            findings.push(diagnostic::finding("policies", None, &error));
            return;
        }
    };
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let home = |id: &PolicyId| {
        let id: ReasonId = id.to_string().parse().ok()?;
        let read = policies.get(&id)?;
        let file = files.iter().find(|file| file.name == read.text.file)?;
        Some((read, file))
    };
    let located = |id: &PolicyId, diagnostic: &dyn miette::Diagnostic| {
        let Some((read, file)) = home(id) else {
            return diagnostic::finding("policies", None, diagnostic);
        };
        let finding = diagnostic::finding(&file.name, Some(&file.text), diagnostic);
        if finding.line > 0 {
            finding
        } else {
            let start = file.text.find(&read.text.text).unwrap_or(0);
            finding.at(&file.text, start)
        }
    };
    for error in result.validation_errors() {
        let mut finding = located(error.policy_id(), error);
        match error {
            ValidationError::UnrecognizedActionId(_) => {
                let declared = schema.actions().map(|uid| uid.id().unescaped());
                finding.hint = guess(&finding.message, declared)
                    .map(|name| format!("did you mean `Action::\"{name}\"`?"))
                    .or(Some(
                        "actions come from the manifests of the tools".to_owned(),
                    ));
            }
            ValidationError::UnrecognizedEntityType(_) => {
                let declared: Vec<String> =
                    schema.entity_types().map(ToString::to_string).collect();
                finding.hint = guess(&finding.message, declared.iter().map(String::as_str))
                    .map(|name| format!("did you mean `{name}`?"));
            }
            ValidationError::UnsafeAttributeAccess(_) => finding.hint = attribute_hint(&finding),
            _ => {}
        }
        findings.push(finding);
    }
    for warning in result.validation_warnings() {
        let mut finding = located(warning.policy_id(), warning).into_warning();
        if matches!(warning, ValidationWarning::ImpossiblePolicy(_)) && finding.hint.is_none() {
            finding.hint = Some(
                "no call of a tool with a manifest can meet its scope and conditions, so it decides nothing"
                    .to_owned(),
            );
        }
        findings.push(finding);
    }
}

/// Cedar names some attribute, however far from the one that was written.
fn attribute_hint(finding: &Finding) -> Option<String> {
    let hint = finding.hint.clone()?;
    let meant = hint.strip_prefix("did you mean `");
    let Some((meant, _)) = meant.and_then(|rest| rest.split_once('`')) else {
        return Some(hint);
    };
    let (_, path) = finding.message.split_once("attribute `")?;
    let (path, _) = path.split_once('`')?;
    let name = path.rsplit('.').next().unwrap_or(path);
    if nearest(name, std::iter::once(meant)).is_some() {
        return Some(hint);
    }
    path.starts_with("args.").then(|| {
        "no manifest of the action declares it, or policies cannot see its type".to_owned()
    })
}

/// The declared name that is nearest to the last one that a message names.
fn guess<'a>(message: &str, declared: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let quoted = message.rsplit('`').nth(1)?;
    let name = quoted
        .strip_prefix("Action::\"")
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(quoted);
    nearest(name, declared)
}

/// What stands between the quotation marks of `@id`, escapes and all; `text` begins with the
/// policy's first annotation.
fn written_id(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let (name, value, after) = annotation(rest)?;
        if name == "id" {
            return value;
        }
        rest = after;
    }
}

/// The name and value of the annotation at the beginning of `text`, and what follows.
fn annotation(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let rest = skip_blank(skip_blank(text).strip_prefix('@')?);
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at_checked(end)?;
    let Some(rest) = skip_blank(rest).strip_prefix('(') else {
        return Some((name, None, rest));
    };
    let rest = skip_blank(rest).strip_prefix('"')?;
    let mut escaped = false;
    let end = rest.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    let (value, rest) = rest.split_at_checked(end)?;
    let rest = skip_blank(rest.strip_prefix('"')?).strip_prefix(')')?;
    Some((name, Some(value), rest))
}

/// Text without the white space and the comments that it begins with.
fn skip_blank(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("//") {
        rest = comment
            .split_once('\n')
            .map_or("", |(_, after)| after)
            .trim_start();
    }
    rest
}

/// Where each statement of a file stands, from its first word to its semicolon.
fn statements(text: &str) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut start = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '/' if chars.peek().is_some_and(|(_, next)| *next == '/') => {
                chars.by_ref().find(|(_, c)| *c == '\n');
            }
            '"' => {
                start.get_or_insert(at);
                while let Some((_, c)) = chars.next() {
                    match c {
                        '\\' => {
                            chars.next();
                        }
                        '"' => break,
                        _ => {}
                    }
                }
            }
            ';' => {
                if let Some(start) = start.take() {
                    out.push((start, at + 1));
                }
            }
            c if c.is_whitespace() => {}
            _ => {
                start.get_or_insert(at);
            }
        }
    }
    out
}
