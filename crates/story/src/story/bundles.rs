//! Bundles, and what became of them.

use super::*;

/// A bundle of two policies.
pub fn bundle(name: &str) -> Bundle {
    let text = "@id(\"named-addresses\") permit(principal, action, resource);\n\
                @id(\"no-churned-contacts\") forbid(principal, action, resource);\n";
    Bundle {
        tenant: x("acme"),
        content: BundleContent {
            name: name.into(),
            description: String::new(),
            policies: vec![PolicyFile {
                name: "mail.cedar".into(),
                text: text.into(),
            }],
            schema: String::new(),
            tools: Vec::new(),
            counters: counters(),
            acknowledged: Vec::new(),
            settings: settings(name),
        },
    }
}

/// Only the first bundle asks for something of the one that follows it, and only the careful one
/// for two people at an opening.
fn settings(name: &str) -> Settings {
    let asks = name == "first";
    let vault = match name {
        "careful" => VaultSettings {
            four_eyes: true,
            retention: RetentionSettings {
                call_days: Some(30),
                ..RetentionSettings::default()
            },
            ..VaultSettings::default()
        },
        _ => VaultSettings::default(),
    };
    Settings {
        vault,
        publishing: PublishingSettings {
            two_person: asks,
            replay: asks,
        },
        ..Settings::default()
    }
}

pub(super) fn stored(name: &str, by: Option<usize>) -> Policy {
    let content = bundle(name).canonical().unwrap().into_bytes();
    Policy {
        policy_ref: bundle(name).reference().unwrap(),
        phase: PolicyPhase::Stored,
        parts: split(&content)
            .iter()
            .map(|part| part.bytes.digest())
            .collect(),
        previous: None,
        credential: by.map(credential),
    }
}

pub(super) fn in_force(name: &str, previous: Option<&str>, by: Option<usize>) -> Policy {
    Policy {
        phase: PolicyPhase::InForce,
        parts: Vec::new(),
        previous: previous.map(|name| bundle(name).reference().unwrap()),
        ..stored(name, by)
    }
}

/// An entry that names a stored bundle.
pub(super) fn of_bundle(
    phase: PolicyPhase,
    name: &str,
    previous: Option<&str>,
    by: usize,
) -> Policy {
    Policy {
        phase,
        ..in_force(name, previous, Some(by))
    }
}

fn counters() -> Vec<CounterDeclaration> {
    let mails = CounterDeclaration {
        name: "mails_24h".into(),
        kind: CounterKind::Count,
        actions: vec![x("email.send")],
        over: None,
        decimals: 0,
        key: CounterKey::Target,
        window_s: Some(86_400),
    };
    let payees = CounterDeclaration {
        name: "payees".into(),
        kind: CounterKind::CountDistinct,
        key: CounterKey::Actor,
        ..mails.clone()
    };
    vec![mails, payees]
}
