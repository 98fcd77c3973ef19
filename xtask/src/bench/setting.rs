//! The bundle, the turn and the calls that are measured.

use std::fmt::Write as _;

use countersign_core::document::{Bundle, BundleContent};
use countersign_judge::CompiledBundle;
use serde_json::{Value, json};

use crate::bundle_dir;
use crate::error::Error;
use crate::server::TENANT;

/// Over how many actions the policies are spread.
pub(super) const ACTIONS: usize = 10;
/// The tool that is called.
pub(super) const TOOL: &str = "bench.a0";

/// The tool whose results are observed.
pub(super) const READER: &str = "bench.read";

/// A link that turns name and bodies hold.
const LINK: &str = "https://customer.example/tickets/4821";
/// An address that turns name and bodies hold.
const DESK: &str = "desk@customer.example";
/// Of so many results, one holds the address that is written to.
const NAMED_EVERY: usize = 10;

/// Whether a policy's scope says which calls it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scopes {
    /// Each policy names its action: only a tenth of them is evaluated.
    Named,
    /// The forbids are for every action: all of them are evaluated.
    Open,
}

/// A bundle of `policies` policies: one permit for each action, and forbids that do not apply.
pub(super) fn bundle(policies: usize, scopes: Scopes) -> Result<BundleContent, Error> {
    let mut text = String::new();
    for n in 0..policies {
        let action = format!("bench.a{}", n % ACTIONS);
        let written = match (n < ACTIONS, scopes) {
            (true, _) => writeln!(
                text,
                "@id(\"p{n}\") permit (principal, action == Action::\"{action}\", resource is Contact)\n\
                 when {{ context.intent.live && context.asked.verb && context.target.sources.contains(\"user\") }};"
            ),
            (false, Scopes::Named) => writeln!(
                text,
                "@id(\"p{n}\") forbid (principal, action == Action::\"{action}\", resource is Contact)\n\
                 when {{ {} }};",
                condition(n)
            ),
            (false, Scopes::Open) => writeln!(
                text,
                "@id(\"p{n}\") forbid (principal, action in Action::\"irreversible\", resource is Contact)\nwhen {{ {} }};",
                condition(n)
            ),
        };
        written.map_err(Error::server("the bundle"))?;
    }
    let tools: Vec<Value> = (0..ACTIONS).map(tool).chain([reader()]).collect();
    let content = json!({
        "name": "bench",
        "policies": [{"name": "policies/bench.cedar", "text": text}],
        "schema": "entity Contact = { \"status\"?: String };",
        "tools": tools,
    });
    serde_json::from_value(content).map_err(Error::server("the bundle"))
}

/// The same, compiled.
pub(super) fn compiled(policies: usize, scopes: Scopes) -> Result<CompiledBundle, Error> {
    let tenant = TENANT.parse().map_err(Error::server("the tenant"))?;
    CompiledBundle::compile(Bundle {
        tenant,
        content: bundle(policies, scopes)?,
    })
    .map_err(|error| Error::Bundle(bundle_dir::lines(&error.findings)))
}

/// A condition that does not hold. Each action has all kinds of them; two look at what texts hold.
fn condition(n: usize) -> String {
    match n / ACTIONS % 6 {
        0 | 3 => {
            format!("context.target has domain && context.target.domain == \"blocked-{n}.example\"")
        }
        1 => format!("resource has status && resource.status == \"blocked-{n}\""),
        2 => format!("context.args.body like \"blocked-{n}*\""),
        4 => format!(
            "!([\"user\", \"system_field\"].containsAll(context.text.sources)) && context.args.ticket == \"{n}\""
        ),
        _ => format!("context.carries.contains(\"secret\") && context.args.ticket == \"{n}\""),
    }
}

fn tool(n: usize) -> Value {
    json!({
        "tool": format!("bench.a{n}"),
        "action": format!("bench.a{n}"),
        "effect": "irreversible",
        "arguments": {
            "type": "object",
            "properties": {
                "to": {"type": "array", "items": {"type": "string"}},
                "ticket": {"type": "string"},
                "on": {"type": "string"},
                "body": {"type": "string"},
            },
            "required": ["to", "ticket", "on", "body"],
            "additionalProperties": false,
        },
        "targets": [{"at": "/to", "type": "email", "entity": "Contact"}],
        "roles": {"/ticket": "identity", "/on": "quantity", "/body": "text"},
        "words": {"en": {"verbs": ["send", "mail"], "nouns": ["confirmation", "mail"]}},
    })
}

/// A tool that returns mails, and whose manifest says who wrote what of them.
fn reader() -> Value {
    json!({
        "tool": READER,
        "action": READER,
        "effect": "read",
        "arguments": {
            "type": "object",
            "properties": {"folder": {"type": "string"}},
            "additionalProperties": false,
        },
        "roles": {"/folder": "identity"},
        "results": {"format": "json", "fields": [
            {"at": "$[*].id", "integrity": "system"},
            {"at": "$[*].sender", "integrity": "system", "entity": "Contact"},
            {"at": "$[*].code", "confidentiality": "secret"},
        ]},
    })
}

/// A result of it: six mails, about 2 kB. Of ten results, one holds a mail of whom the call writes to.
pub(super) fn result(n: usize) -> Value {
    let mail = |k: usize| {
        let sender = match (n % NAMED_EVERY, k) {
            (3, 0) => address(0),
            _ => format!("sender-{n}-{k}@partner.example"),
        };
        json!({
            "id": format!("m-{n}-{k}"),
            "sender": sender,
            "subject": format!("Offer {n}/{k}"),
            "code": format!("{:06}", n * 977 + k * 13),
            "body": format!(
                "Hello, as agreed on 2026-03-{:02} the price is EUR {}.50; see https://partner.example/offers/{n}/{k} \
                 or ask desk-{k}@partner.example. The quick brown fox jumps over the lazy dog, and then it rests.",
                1 + k, 100 + n
            ),
        })
    };
    (0..6).map(mail).collect()
}

/// A turn that names this many addresses.
pub(super) fn turn_text(targets: usize) -> String {
    let addresses: Vec<String> = (0..targets).map(address).collect();
    format!(
        "Please send the confirmation for ticket #4821 on 24 May 2026 to {}. They may look at {LINK} or ask {DESK}.",
        addresses.join(", ")
    )
}

/// Arguments of exactly `bytes` bytes of JSON, with this many targets. The body holds a link and an
/// address.
pub(super) fn args(targets: usize, bytes: usize) -> Value {
    let to: Vec<String> = (0..targets).map(address).collect();
    let with = |body: &str| json!({"to": to, "ticket": "4821", "on": "2026-05-24", "body": body});
    let empty = with("").to_string().len();
    let start = format!("See {LINK} or ask {DESK}. ");
    let sentence = "The quick brown fox jumps over the lazy dog. ";
    let body: String = start
        .chars()
        .chain(sentence.chars().cycle())
        .take(bytes.saturating_sub(empty))
        .collect();
    with(&body)
}

fn address(n: usize) -> String {
    format!("contact-{n}@customer.example")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_the_size_that_is_claimed() {
        for (targets, bytes) in [(1, 1_000), (20, 1_000), (20, 64_000)] {
            assert_eq!(args(targets, bytes).to_string().len(), bytes, "{targets}");
        }
    }

    #[test]
    fn the_bundles_compile() {
        for scopes in [Scopes::Named, Scopes::Open] {
            compiled(30, scopes).unwrap();
        }
    }
}
