//! A log that the real service makes, with documents: turns, calls, a stop, an opened record.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_core::document::BundleContent;
use countersign_core::entry::Surface;
use countersign_core::refs::Sha256;
use countersign_host::{Beginning, DataDir, Host};
use countersign_ledger::publish::publish;
use countersign_service::{Caller, ExportProgress, Service};
use countersign_wire::{NewCredential, SetCurrentBundle, StopRequest};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::error::Error;

/// Roles, each of which has a credential.
const ROLES: [&str; 7] = [
    "ingress",
    "agent",
    "tool",
    "author",
    "vault-reader",
    "admin",
    "auditor",
];
/// The prefix of the actors' names.
const ACTORS: &str = "agent:xtask/";
const ACTOR: &str = "agent:xtask/mutate";
const TOOL: &str = "send_email";

/// Makes a log in `dir/data`, publishes it in `dir/export`, and gives back its opened documents.
pub(super) fn log(dir: &Path) -> Result<BTreeMap<Sha256, Vec<u8>>, Error> {
    let failed = "the log";
    let beginning = Beginning {
        tenant: "xtask".parse().map_err(Error::server(failed))?,
        public_name: None,
        bundle: bundle("")?,
        credentials: ROLES.into_iter().map(credential).collect(),
    };
    let begun = DataDir::new(dir.join("data")).begin(beginning);
    let (host, first) = begun.map_err(Error::server(failed))?;
    let mut callers = Vec::new();
    for (role, first) in ROLES.into_iter().zip(&first) {
        let caller = host.service().authenticate(first.token.expose_secret());
        callers.push((role, caller.map_err(Error::server(failed))?));
    }
    let evening = Evening {
        host: &host,
        callers,
    };
    evening.play()?;
    let documents = evening.open()?;
    let reader = host.service().ledger().reader();
    publish(&reader, &dir.join("export"), &mut |_| {}).map_err(Error::server(failed))?;
    host.service().close().map_err(Error::server(failed))?;
    Ok(documents)
}

struct Evening<'a> {
    host: &'a Host,
    callers: Vec<(&'static str, Caller)>,
}

struct Silent;

impl ExportProgress for Silent {
    fn step(&self, _what: &str, _done: u64, _total: u64) {}
}

impl Evening<'_> {
    fn service(&self) -> &Service {
        self.host.service()
    }

    fn caller(&self, role: &str) -> Result<&Caller, Error> {
        let found = self.callers.iter().find(|(has, _)| *has == role);
        found
            .map(|(_, caller)| caller)
            .ok_or_else(|| Error::server("the callers")(format!("none has the role {role}")))
    }

    fn play(&self) -> Result<(), Error> {
        let service = self.service();
        let failed = Error::server::<countersign_service::ServiceError>;
        let author = self.caller("author")?;
        service
            .put_entity(
                author,
                "Contact",
                "contact-0@customer.example",
                b"{\"status\":\"kept\"}",
            )
            .map_err(failed("the directory"))?;
        let turn = self.turn("s-1")?;
        let approved = self.call("s-1", &turn, "contact-0@customer.example")?;
        self.execution(&json!({"decision": approved, "phase": "started"}))?;
        let finished = json!({"decision": approved, "phase": "finished", "is_error": false,
            "result": {"sent": true}});
        self.execution(&finished)?;
        for _ in 0..6 {
            self.call("s-1", &turn, "nobody@elsewhere.example")?;
        }
        let malformed = service.decide(self.caller("agent")?, b"{\"tool\":1}", Surface::Api, None);
        if malformed.is_ok() {
            return Err(Error::server("a malformed call")("it was judged"));
        }
        let admin = self.caller("admin")?;
        for effect in ["stop", "resume"] {
            let request = StopRequest {
                scope: "everything".to_owned(),
                actor: None,
                effect: Some(effect.to_owned()),
            };
            service.stop(admin, &request).map_err(failed("a stop"))?;
            self.call("s-1", &turn, "contact-1@customer.example")?;
        }
        let added = service
            .add_credential(admin, &credential("auditor"))
            .map_err(failed("a credential"))?;
        let added = serde_json::to_value(&added).unwrap_or_default();
        if let Some(id) = added
            .get("credential")
            .and_then(Value::as_str)
            .and_then(|id| id.parse().ok())
        {
            service
                .revoke_credential(admin, id)
                .map_err(failed("a credential"))?;
        }
        self.bundle()?;
        let other = self.turn("s-2")?;
        self.call("s-2", &other, "contact-2@customer.example")?;
        let reference = other.parse().map_err(Error::server("a turn"))?;
        let ingress = self.caller("ingress")?;
        service
            .revoke_turn(ingress, reference)
            .map_err(failed("a turn"))?;
        self.call("s-2", &other, "contact-2@customer.example")?;
        service.settle_watch().map_err(failed("the watcher"))
    }

    fn turn(&self, session: &str) -> Result<String, Error> {
        let body = json!({
            "principal": "user:lead@acme.example",
            "session": session,
            "channel": "chat",
            "actors": [ACTOR],
            "parts": [{"by": "principal", "text": "Please write to contact-0@customer.example and contact-2@customer.example."}],
        });
        let turn = self
            .service()
            .register_turn(self.caller("ingress")?, body.to_string().as_bytes());
        Ok(turn.map_err(Error::server("a turn"))?.intent_ref)
    }

    /// The id of the decision's entry.
    fn call(&self, session: &str, turn: &str, to: &str) -> Result<String, Error> {
        let body = json!({
            "actor": ACTOR,
            "session": session,
            "intent_ref": turn,
            "tool": TOOL,
            "args": {"to": [to], "body": "hello"},
            "reasoning": "the person asked for it",
        });
        let agent = self.caller("agent")?;
        let said = self
            .service()
            .decide(agent, body.to_string().as_bytes(), Surface::Api, None);
        let said = serde_json::to_value(said.map_err(Error::server("a call"))?);
        let said = said.map_err(Error::server("a call"))?;
        let id = said.get("entry_id").and_then(Value::as_str);
        id.map(str::to_owned)
            .ok_or_else(|| Error::server("a call")("the answer names no entry"))
    }

    fn execution(&self, body: &Value) -> Result<(), Error> {
        let tool = self.caller("tool")?;
        let reported = self
            .service()
            .report_execution(tool, body.to_string().as_bytes());
        reported.map(drop).map_err(Error::server("an execution"))
    }

    /// Another bundle comes into force.
    fn bundle(&self) -> Result<(), Error> {
        let author = self.caller("author")?;
        let failed = Error::server::<countersign_service::ServiceError>;
        let content = bundle(
            "@id(\"no-bodies\") forbid (principal, action, resource) when { context.args.body == \"\" };",
        )?;
        let body = serde_json::to_vec(&content).map_err(Error::server("the bundle"))?;
        let stored = self
            .service()
            .store_bundle(author, &body)
            .map_err(failed("the bundle"))?;
        let current = self
            .service()
            .current_bundle(author)
            .map_err(failed("the bundle"))?;
        let request = SetCurrentBundle {
            policy_ref: stored.policy_ref,
        };
        let before = Some(current.policy_ref.as_str());
        let set = self.service().set_bundle(author, &request, before);
        set.map(drop).map_err(failed("the bundle"))
    }

    fn open(&self) -> Result<BTreeMap<Sha256, Vec<u8>>, Error> {
        let mut documents = BTreeMap::new();
        let reader = self.caller("vault-reader")?;
        let opened =
            self.service()
                .open_documents(reader, "to change them", &Silent, |r, bytes| {
                    documents.insert(r, bytes);
                    Ok(())
                });
        opened.map_err(Error::server("the documents"))?;
        Ok(documents)
    }
}

/// A bundle that lets mails to named addresses pass, with one more policy.
fn bundle(more: &str) -> Result<BundleContent, Error> {
    let permit = "@id(\"named-addresses\") permit (principal, action == Action::\"mail.send\", resource is Contact)\n\
                  when { context.intent.live && context.target.sources.contains(\"user\") };\n";
    let content = json!({
        "name": "mutated",
        "policies": [{"name": "policies/mail.cedar", "text": format!("{permit}{more}")}],
        "schema": "entity Contact = { \"status\"?: String };",
        "tools": [{
            "tool": TOOL,
            "action": "mail.send",
            "effect": "irreversible",
            "arguments": {
                "type": "object",
                "properties": {"to": {"type": "array", "items": {"type": "string"}}, "body": {"type": "string"}},
                "required": ["to", "body"],
                "additionalProperties": false,
            },
            "targets": [{"at": "/to", "type": "email", "entity": "Contact"}],
            "roles": {"/body": "text"},
        }],
    });
    serde_json::from_value(content).map_err(Error::server("the bundle"))
}

fn credential(role: &str) -> NewCredential {
    let actors = match role {
        "ingress" | "agent" => vec![ACTORS.to_owned()],
        _ => Vec::new(),
    };
    NewCredential {
        roles: vec![role.to_owned()],
        actors,
        ..NewCredential::default()
    }
}
