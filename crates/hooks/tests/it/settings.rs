//! Putting the hooks into settings files and taking them out again.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use countersign_hooks::claude::EVENTS;
use countersign_hooks::claude::settings::{Changed, Told, Wanted, inspect, install, uninstall};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(".claude/settings.json")
    }

    fn with(text: &str) -> Self {
        let place = Self::new();
        std::fs::create_dir(place.dir.path().join(".claude")).unwrap();
        std::fs::write(place.file(), text).unwrap();
        place
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }
}

fn wanted(binary: &str) -> Wanted {
    Wanted {
        binary: binary.into(),
        config: Told::File("/home/jo/.config/countersign/hooks/claude-code.toml".into()),
        review_wait_s: 50,
    }
}

fn ours() -> Wanted {
    wanted("/usr/bin/countersign")
}

/// Settings as people write them: other hooks, odd spacing, an unusual order.
const OTHERS: &str = r#"{
    "model":"opus" , "permissions": { "deny": ["Bash(rm:*)"]},
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type":"command","command":"/opt/lint" }]}
        ],
        "Stop": [ {"hooks": [{"type": "command", "command": "say done"}]} ]
    },
    "env": {"A": "1"}
}
"#;

#[test]
fn a_missing_file_is_made_and_holds_every_event() {
    let place = Place::new();
    assert_eq!(
        install(&place.file(), &ours()).unwrap(),
        Changed::Written { backup: None }
    );
    let hooks = place.json()["hooks"].clone();
    assert_eq!(hooks.as_object().unwrap().len(), EVENTS.len());
    assert_eq!(
        hooks["PreToolUse"],
        json!([{"matcher": "*", "hooks": [{
            "type": "command",
            "command": "/usr/bin/countersign",
            "args": ["hook", "claude-code", "--config", "/home/jo/.config/countersign/hooks/claude-code.toml"],
            "timeout": 80,
            "onFailure": "block",
        }]}])
    );
    assert_eq!(
        hooks["UserPromptSubmit"][0]["hooks"][0]["onFailure"],
        "block"
    );
    // On the group it would be ignored.
    assert!(
        !place
            .text()
            .contains("\"onFailure\": \"block\",\n        \"hooks\"")
    );
    assert_eq!(
        uninstall(&place.file()).unwrap(),
        Changed::Written {
            backup: Some(
                place
                    .dir
                    .path()
                    .join(".claude/settings.json.with-countersign")
                    .canonicalize()
                    .unwrap()
            )
        }
    );
    assert_eq!(place.json(), json!({}));
}

#[test]
fn what_others_wrote_comes_back_byte_for_byte() {
    for text in [
        OTHERS,
        "{}",
        "{ }\n",
        "{\"a\":1}",
        "{\n\t\"a\": [1, 2],\n\t\"b\": \"\\u00e4 ä \\ud83d\\ude00\"\n}",
        "{\"hooks\":{\"Stop\":[]},\"z\":1e5}",
        "  {\n \"hooks\" : {\n \"PreToolUse\" : [ ] , \"X\": [{\"hooks\": []}] } }  \n",
    ] {
        let place = Place::with(text);
        install(&place.file(), &ours()).unwrap();
        let installed = place.text();
        assert!(
            inspect(&place.file()).unwrap().is_installed(),
            "{installed}"
        );
        uninstall(&place.file()).unwrap();
        let before: Value = serde_json::from_str(text).unwrap();
        if text.contains("[ ]") || text.trim() == "{ }" {
            // Nothing tells an empty list that stood there from one that we made.
            continue;
        }
        assert_eq!(place.json(), before, "{text}");
        assert_eq!(place.text(), text, "{installed}");
    }
}

#[test]
fn a_second_time_changes_nothing_and_another_binary_replaces_ours() {
    let place = Place::with(OTHERS);
    install(&place.file(), &ours()).unwrap();
    let first = place.text();
    let backup = place
        .dir
        .path()
        .join(".claude/settings.json.before-countersign");
    assert_eq!(std::fs::read_to_string(&backup).unwrap(), OTHERS);
    assert_eq!(install(&place.file(), &ours()).unwrap(), Changed::Nothing);
    assert_eq!(place.text(), first);
    install(&place.file(), &wanted("/opt/new/countersign")).unwrap();
    assert!(!place.text().contains("/usr/bin/countersign"));
    let found = inspect(&place.file()).unwrap();
    assert_eq!(found.handlers.len(), EVENTS.len());
    // What stood there before any of ours is what is kept.
    assert_eq!(std::fs::read_to_string(&backup).unwrap(), OTHERS);
}

#[test]
fn only_ours_goes_also_after_somebody_edited_around_it() {
    let place = Place::with(OTHERS);
    install(&place.file(), &ours()).unwrap();
    let mut edited = place.json();
    // Somebody put a handler of their own beside ours, and a group before it.
    let group = edited["hooks"]["PreToolUse"][1].clone();
    edited["hooks"]["PreToolUse"][1]["hooks"] =
        json!([group["hooks"][0], {"type": "command", "command": "/opt/mine"}]);
    edited["hooks"]["PostToolUse"]
        .as_array_mut()
        .unwrap()
        .insert(
            0,
            json!({"matcher": "Edit", "hooks": [{"type": "http", "url": "http://a"}]}),
        );
    edited["theme"] = json!("dark");
    std::fs::write(place.file(), serde_json::to_string_pretty(&edited).unwrap()).unwrap();
    uninstall(&place.file()).unwrap();
    let left = place.json();
    assert_eq!(left["theme"], "dark");
    assert_eq!(
        left["hooks"],
        json!({
            "PreToolUse": [
                {"matcher": "Bash", "hooks": [{"type": "command", "command": "/opt/lint"}]},
                {"matcher": "*", "hooks": [{"type": "command", "command": "/opt/mine"}]},
            ],
            "Stop": [{"hooks": [{"type": "command", "command": "say done"}]}],
            "PostToolUse": [{"matcher": "Edit", "hooks": [{"type": "http", "url": "http://a"}]}],
        })
    );
    assert_eq!(uninstall(&place.file()).unwrap(), Changed::Nothing);
}

#[test]
fn what_cannot_be_read_in_one_way_is_left_alone() {
    for text in [
        "",
        "[]",
        "null",
        "{",
        "// a comment\n{}",
        "{\"hooks\": {}} {}",
        "{\"hooks\": []}",
        "{\"hooks\": 1}",
        "{\"hooks\": {}, \"hooks\": {}}",
        "{\"hooks\": {\"PreToolUse\": {}}}",
        "{\"hooks\": {\"PreToolUse\": [], \"PreToolUse\": []}}",
        "\u{feff}{}",
    ] {
        let place = Place::with(text);
        let error = install(&place.file(), &ours()).unwrap_err().to_string();
        assert!(error.contains("settings.json"), "{error}");
        assert_eq!(place.text(), text);
        let beside = std::fs::read_dir(place.dir.path().join(".claude")).unwrap();
        assert_eq!(beside.count(), 1, "{text}");
    }
}

#[test]
fn a_link_stays_a_link_and_a_mode_its_mode() {
    let place = Place::with("{}");
    let real = place.dir.path().join("dotfiles.json");
    std::fs::rename(place.file(), &real).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&real, place.file()).unwrap();
    install(&place.file(), &ours()).unwrap();
    assert!(
        std::fs::symlink_metadata(place.file())
            .unwrap()
            .is_symlink()
    );
    let mode = std::fs::metadata(&real).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o640);
    assert!(inspect(&place.file()).unwrap().is_installed());
}

fn findings(settings: &Value) -> Vec<(bool, String)> {
    let place = Place::with(&settings.to_string());
    let found = inspect(&place.file()).unwrap();
    found
        .findings
        .into_iter()
        .map(|finding| (finding.fails_open, finding.text))
        .collect()
}

#[test]
fn settings_that_fail_open_are_found() {
    let place = Place::new();
    let program = place.dir.path().join("countersign");
    std::fs::write(&program, "").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    install(&place.file(), &wanted(program.to_str().unwrap())).unwrap();
    let good = place.json();
    assert_eq!(findings(&good), []);
    let found = |path: &str, value: Option<Value>| {
        let mut settings = good.clone();
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = settings
            .pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap();
        match value {
            Some(value) => parent.insert(name.to_owned(), value),
            None => parent.remove(name),
        };
        findings(&settings)
    };
    let call = "/hooks/PreToolUse/0";
    let handler = "/hooks/PreToolUse/0/hooks/0";
    for (path, value, says) in [
        (
            "/disableAllHooks".to_owned(),
            Some(json!(true)),
            "no hook runs",
        ),
        ("/hooks/PreToolUse".to_owned(), None, "no hook of ours"),
        (format!("{handler}/onFailure"), None, "onFailure"),
        (
            format!("{handler}/onFailure"),
            Some(json!("continue")),
            "onFailure",
        ),
        (
            format!("{handler}/async"),
            Some(json!(true)),
            "some calls only",
        ),
        (
            format!("{handler}/if"),
            Some(json!("Bash(*)")),
            "some calls only",
        ),
        (
            format!("{call}/matcher"),
            Some(json!("Bash")),
            "leaves other tools out",
        ),
    ] {
        let found = found(&path, value);
        assert!(
            found
                .iter()
                .any(|(open, text)| *open && text.contains(says)),
            "{path}: {found:?}"
        );
    }
    for (path, value, says) in [
        (format!("{call}/onFailure"), json!("block"), "ignored"),
        (
            format!("{handler}/command"),
            json!("/nowhere/countersign"),
            "no program",
        ),
        (
            format!("{handler}/args"),
            json!(["hook", "claude-code"]),
            "no configuration",
        ),
        (
            "/hooks/PermissionRequest".to_owned(),
            json!([{"hooks": [{"type": "command", "command": "/opt/yes"}]}]),
            "in the person's place",
        ),
    ] {
        let found = found(&path, Some(value));
        assert!(
            found
                .iter()
                .any(|(open, text)| !open && text.contains(says)),
            "{path}: {found:?}"
        );
    }
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~äß\"\\\\,{}\\[\\]]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\",: ]{0,6}", inner, 1..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever else stands in the settings, installing adds ours and uninstalling gives the text back.
    #[test]
    fn nothing_else_is_touched(other in arbitrary_json(), stop in arbitrary_json(), pretty in any::<bool>()) {
        let settings = json!({"other": other, "hooks": {"Stop": stop, "PreToolUse": [{"matcher": "A", "hooks": []}]}});
        let text = match pretty {
            true => serde_json::to_string_pretty(&settings).unwrap(),
            false => settings.to_string(),
        };
        let place = Place::with(&text);
        install(&place.file(), &ours()).unwrap();
        let mut installed = place.json();
        prop_assert_eq!(&installed["other"], &settings["other"]);
        prop_assert_eq!(&installed["hooks"]["Stop"], &settings["hooks"]["Stop"]);
        prop_assert_eq!(installed["hooks"]["PreToolUse"].as_array_mut().unwrap().len(), 2);
        uninstall(&place.file()).unwrap();
        prop_assert_eq!(place.text(), text);
    }
}

#[test]
fn a_directory_is_no_settings_file() {
    let place = Place::new();
    std::fs::create_dir_all(place.file()).unwrap();
    assert!(install(&place.file(), &ours()).is_err());
    assert!(inspect(Path::new("/nowhere/settings.json")).is_ok_and(|found| !found.is_installed()));
}

#[test]
fn managed_settings_name_no_file_and_can_be_read_by_all() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let path = place.file().with_file_name("managed/managed-settings.json");
    let wanted = Wanted {
        config: Told::OfUser {
            server: "http://127.0.0.1:8787".to_owned(),
            log_key: Some("log+1+key".to_owned()),
        },
        ..ours()
    };
    assert!(matches!(
        install(&path, &wanted).unwrap(),
        Changed::Written { .. }
    ));
    assert_eq!(install(&path, &wanted).unwrap(), Changed::Nothing);
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o644, 0o755));
    let found = inspect(&path).unwrap();
    let handler = &found.handlers[0];
    let told = [
        "--managed",
        "--server",
        "http://127.0.0.1:8787",
        "--log-key",
        "log+1+key",
    ];
    assert_eq!(handler.args[2..], told);
    assert_eq!(found.log_key().as_deref(), Some("log+1+key"));
    let config = found.config().unwrap();
    assert!(
        config.ends_with(".config/countersign/hooks/claude-code.toml"),
        "{config:?}"
    );
    let no_config = found
        .findings
        .iter()
        .any(|it| it.text.contains("no configuration"));
    assert!(!no_config, "{:?}", found.findings);
    assert!(matches!(uninstall(&path).unwrap(), Changed::Written { .. }));
    assert!(!inspect(&path).unwrap().is_installed());
}
