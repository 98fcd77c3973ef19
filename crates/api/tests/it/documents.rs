//! What is written down of the API is what the API is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use countersign_api::{error_pages, openapi_json};
use serde_json::Value;

use crate::world::World;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares with a file of the repository, or writes it if the variable is set.
fn golden(path: &str, update: &str, expected: &str) {
    let path = root().join(path);
    if std::env::var_os(update).is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "`{}` is out of date: run the tests with {update}=1",
        path.display()
    );
}

#[test]
fn the_openapi_file_is_the_document_that_is_served() {
    let world = World::new();
    let served = world.ask("GET", "/openapi.json", None, &[], None).text();
    assert_eq!(served, openapi_json().unwrap());
    golden("openapi.json", "UPDATE_OPENAPI", &served);
}

#[test]
fn the_document_is_ours_and_says_what_errors_look_like() {
    let document: Value = serde_json::from_str(&openapi_json().unwrap()).unwrap();
    assert_eq!(document["info"]["title"], "Countersign");
    assert!(document["info"].get("contact").is_none());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(!path.contains('*'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
            assert_eq!(
                problem["schema"]["$ref"], "#/components/schemas/Problem",
                "{method} {path}"
            );
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{method} {path}"
            );
            for variable in path
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split_once('}'))
            {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(
                    parameters.iter().any(|found| found["name"] == variable.0),
                    "{method} {path}"
                );
            }
        }
    }
    check_refs(&document, &document);
}

fn check_refs(node: &Value, document: &Value) {
    match node {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(
                    document.pointer(pointer).is_some(),
                    "{reference} leads nowhere"
                );
            }
            members
                .values()
                .for_each(|member| check_refs(member, document));
        }
        Value::Array(items) => items.iter().for_each(|item| check_refs(item, document)),
        _ => {}
    }
}

/// Schemas of one name overwrite each other silently, so no two types may have one.
#[test]
fn no_two_schemas_have_one_name() {
    let mut names = BTreeSet::new();
    for source in ["crates/wire/src", "crates/api/src", "crates/api/src/routes"] {
        for file in std::fs::read_dir(root().join(source)).unwrap() {
            let path = file.unwrap().path();
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            for derived in text.split("ToSchema)]").skip(1) {
                let declared = derived
                    .lines()
                    .map(|line| line.trim_start_matches("pub "))
                    .find_map(|line| {
                        line.strip_prefix("struct ")
                            .or_else(|| line.strip_prefix("enum "))
                    });
                let name = declared.unwrap_or_default();
                let name = name
                    .split([' ', '(', '<', ';'])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                assert!(names.insert(name.clone()), "two schemas are called {name}");
            }
        }
    }
    let document: Value = serde_json::from_str(&openapi_json().unwrap()).unwrap();
    let described: BTreeSet<String> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert!(described.len() > 20, "{described:?}");
    assert_eq!(
        described.difference(&names).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert_eq!(
        names.difference(&described).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

#[test]
fn every_error_code_has_its_place_in_the_documentation() {
    let mut text = String::from(
        "# Errors\n\n\
         Every error of the HTTP API is a problem document (RFC 9457), media type `application/problem+json`:\n\n\
         ```json\n\
         {\n  \"type\": \"https://countersign.dev/errors/out-of-bounds\",\n  \"title\": \"outside what the credential may speak for\",\n  \
         \"status\": 403,\n  \"detail\": \"the credential may not speak for the actor `agent:other`\",\n  \"code\": \"out-of-bounds\",\n  \
         \"request_id\": \"01HYB7K3M4FXQZ9V2N6PTJD8RC\",\n  \"entry_id\": \"01HYB7K3M5Q1W8E2R3T4Y5V6X7\"\n}\n\
         ```\n\n\
         `code` is stable; `title` and `detail` are for people. `request_id` finds the request in the server's log and stands in \
         the header `x-request-id`, too. `entry_id` names the entry that records the rejection, where there is one. `findings` \
         lists what the check of a bundle found.\n\n\
         Two errors have no problem document, because what came was no HTTP: 400 for a malformed head, 431 for one that is too \
         long.\n\n\
         | code | status | meaning |\n| --- | --- | --- |\n",
    );
    for page in error_pages() {
        text += &format!(
            "| `{}` | {} | **{}.** {} |\n",
            page.code, page.status, page.title, page.meaning
        );
    }
    golden("docs/errors.md", "UPDATE_ERRORS", &text);
}
