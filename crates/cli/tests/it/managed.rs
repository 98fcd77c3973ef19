//! The hooks in the machine's managed settings: put there by root, run as a user who is none.
//!
//! The user stands in a list of users of the test's own, which a mount namespace puts in the place of
//! the machine's. Without root, or where no such namespace can be made, nothing is tried, and it says so.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Home, Ran, Serving, fed};

const UID: u32 = 4242;

struct Machine {
    root: Home,
    server: Serving,
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).unwrap();
        let users = format!(
            "root:x:0:0:root:/root:/bin/sh\njo:x:{UID}:{UID}::{}:/bin/sh\n",
            dir.path().join("jo").display()
        );
        std::fs::write(dir.path().join("passwd"), users).unwrap();
        for made in ["jo", "jo/.config", "jo/project"] {
            std::fs::create_dir(dir.path().join(made)).unwrap();
            // Only root can give it away; whoever is not stops at the trial below.
            let _ = chown(dir.path().join(made), Some(UID), Some(UID));
        }
        let root = Home::new();
        let tried = within(dir.path(), true, &root.command(&["--version"])).output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            eprintln!(
                "\n*** no user and mount namespace of its own can be had here: the managed hooks were not tried ***\n"
            );
            return None;
        }
        let server = root.serve(&["--bundle", "coding-agent"]);
        Some(Self { root, server, dir })
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn settings(&self) -> PathBuf {
        self.at("etc/claude-code/managed-settings.json")
    }

    fn config(&self) -> PathBuf {
        self.at("jo/.config/countersign/hooks/claude-code.toml")
    }

    /// `hook install` or `uninstall` of root.
    fn hook(&self, what: &str, more: &[&str]) -> Ran {
        let file = self.settings();
        let mut args = vec!["hook", what, "claude-code", "--managed", "--json"];
        args.extend(["--managed-file", file.to_str().unwrap()]);
        args.extend(more);
        fed(
            within(self.dir.path(), false, &self.root.command(&args)),
            b"",
        )
    }

    fn done(&self, what: &str, more: &[&str]) -> Value {
        let ran = self.hook(what, more);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        serde_json::from_str(&ran.out).unwrap()
    }

    /// What the managed handler answers to a call of the user's assistant, whose variables lie.
    fn call(&self, id: &str, path: &Path) -> (String, String) {
        let settings: Value =
            serde_json::from_slice(&std::fs::read(self.settings()).unwrap()).unwrap();
        let handler = &settings["hooks"]["PreToolUse"][0]["hooks"][0];
        let args = handler["args"].as_array().unwrap().iter();
        let mut command = Command::new(handler["command"].as_str().unwrap());
        command
            .args(args.map(|word| word.as_str().unwrap()))
            .current_dir(self.at("jo/project"))
            .env("HOME", self.at("liar"))
            .env("XDG_CONFIG_HOME", self.at("liar"));
        let event = json!({
            "session_id": "11111111-2222-3333-4444-555555555555", "transcript_path": "/tmp/t.jsonl",
            "cwd": self.at("jo/project"), "hook_event_name": "PreToolUse",
            "permission_mode": "default", "prompt_id": "p1", "tool_name": "Read",
            "tool_use_id": id, "tool_input": {"file_path": path},
        });
        let ran = fed(
            within(self.dir.path(), true, &command),
            event.to_string().as_bytes(),
        );
        let said: Value = serde_json::from_str(&ran.out)
            .unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err));
        let said = &said["hookSpecificOutput"];
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        (text("permissionDecision"), text("permissionDecisionReason"))
    }

    /// The checks of `doctor` with their lights, as the user.
    fn doctor(&self) -> Vec<(String, String)> {
        let (project, file) = (self.at("jo/project"), self.settings());
        let args = ["doctor", "--json", "--project", project.to_str().unwrap()];
        let mut command = self.root.command(&args);
        command
            .args(["--managed-file", file.to_str().unwrap()])
            .current_dir(&project)
            .env("HOME", self.at("jo"))
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME");
        let ran = fed(within(self.dir.path(), true, &command), b"");
        let found: Value = serde_json::from_str(&ran.out)
            .unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err));
        let sections = found["sections"].as_array().unwrap().iter();
        let checks = sections.flat_map(|section| section["checks"].as_array().unwrap());
        let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
        checks
            .map(|check| (text(check, "light"), text(check, "says")))
            .collect()
    }
}

/// The command with the test's list of users, as the user or as root.
fn within(dir: &Path, as_user: bool, command: &Command) -> Command {
    let ids = format!("exec setpriv --reuid {UID} --regid {UID} --clear-groups \"$@\"");
    let run = if as_user { ids.as_str() } else { "exec \"$@\"" };
    let mut wrapped = Command::new("unshare");
    wrapped
        .args(["--mount", "sh", "-c"])
        .arg(format!("mount --bind \"$0\" /etc/passwd && {run}"))
        .arg(dir.join("passwd"))
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped.current_dir(command.get_current_dir().unwrap_or(dir));
    wrapped
}

fn owner(path: &Path) -> (u32, u32) {
    let found = path.symlink_metadata().unwrap();
    (found.uid(), found.mode() & 0o777)
}

#[test]
fn roots_hooks_judge_a_users_calls_whatever_the_user_sets() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let jo = ["--for", "jo"];
    let done = machine.done("install", &jo);
    assert_eq!(
        (&done["granted"], &done["changed"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(owner(&machine.config()), (UID, 0o600));
    assert_eq!(owner(&machine.settings()), (0, 0o644));
    let again = machine.done("install", &jo);
    assert_eq!(
        (&again["granted"], &again["changed"]),
        (&json!(false), &json!(false))
    );

    let (decision, reason) = machine.call("t1", &machine.config());
    assert_eq!(decision, "deny", "{reason}");
    assert!(!reason.contains("configuration"), "{reason}");

    // The user's own settings switch everything off, and the managed hooks stand all the same.
    std::fs::create_dir(machine.at("jo/.claude")).unwrap();
    std::fs::write(
        machine.at("jo/.claude/settings.json"),
        r#"{"disableAllHooks": true}"#,
    )
    .unwrap();
    let checks = machine.doctor();
    let red: Vec<_> = checks.iter().filter(|(light, _)| light == "red").collect();
    assert!(red.is_empty(), "{red:#?}");
    let says = |light: &str, text: &str| {
        checks
            .iter()
            .any(|(is, says)| is == light && says.contains(text))
    };
    assert!(says("green", "are root's"), "{checks:#?}");
    assert!(
        says("green", "is denied, and recorded with a proof"),
        "{checks:#?}"
    );
    assert!(
        says("yellow", "but those of the managed settings"),
        "{checks:#?}"
    );
    assert!(
        !says("yellow", "no profile is of the server"),
        "{checks:#?}"
    );

    // A file that the user turned to a server of their own is not used.
    let text = std::fs::read_to_string(machine.config()).unwrap();
    let turned = text.replace(&machine.server.url, "http://127.0.0.1:9");
    assert_ne!(text, turned);
    std::fs::write(machine.config(), turned).unwrap();
    let (decision, reason) = machine.call("t2", &machine.at("jo/project/a"));
    assert_eq!(decision, "deny");
    assert!(reason.contains("managed settings name"), "{reason}");
    std::fs::write(machine.config(), text).unwrap();

    // Whoever writes the settings switches the hooks off.
    let loose = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(machine.settings(), loose).unwrap();
    let red = |(light, says): &(String, String)| light == "red" && says.contains("0666");
    assert!(machine.doctor().iter().any(red));

    let gone = machine.done("uninstall", &["--revoke", "--for", "jo"]);
    assert_eq!(gone["revoked"], 3);
    assert!(!machine.config().exists());
    let (decision, _) = machine.call("t3", &machine.at("jo/project/a"));
    assert_eq!(decision, "deny");
    assert_eq!(machine.done("uninstall", &[])["changed"], true);
    let left = std::fs::read_to_string(machine.settings()).unwrap();
    assert!(!left.contains("countersign"), "{left}");
}

#[test]
fn what_the_user_puts_in_the_way_leads_root_nowhere() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let vault = machine.at("vault");
    std::fs::create_dir(&vault).unwrap();
    std::fs::set_permissions(&vault, std::fs::Permissions::from_mode(0o755)).unwrap();
    let own = machine.at("jo/.config/countersign");
    std::fs::create_dir(&own).unwrap();
    chown(&own, Some(UID), Some(UID)).unwrap();

    // The directory is a link into one of root's.
    symlink(&vault, own.join("hooks")).unwrap();
    let ran = machine.hook("install", &["--for", "jo"]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert_eq!(std::fs::read_dir(&vault).unwrap().count(), 0);

    // The file is a link to one of root's: what it leads to stays, and the link gives way at most.
    std::fs::remove_file(own.join("hooks")).unwrap();
    std::fs::create_dir(own.join("hooks")).unwrap();
    chown(own.join("hooks"), Some(UID), Some(UID)).unwrap();
    let secret = vault.join("secret.toml");
    std::fs::write(&secret, "server = \"x\"\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&secret, machine.config()).unwrap();
    let ran = machine.hook("install", &["--for", "jo"]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert_eq!(
        std::fs::read_to_string(&secret).unwrap(),
        "server = \"x\"\n"
    );
    assert_eq!(owner(&secret), (0, 0o600));

    // A file that names a credential of somebody else's does not make root revoke it.
    std::fs::remove_file(machine.config()).unwrap();
    machine.done("install", &["--for", "jo"]);
    let listed = machine.root.json(0, &["credential", "list"]);
    let listed = listed["credentials"].as_array().unwrap();
    let other = listed.iter().find(|it| {
        !it["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("hook"))
    });
    let other = other.unwrap()["credential"].as_str().unwrap();
    let text = std::fs::read_to_string(machine.config()).unwrap();
    let at = text.find("[credentials]").unwrap();
    let (before, after) = text.split_at(at);
    let end = after.find("\n[").map_or(after.len(), |end| end + 1);
    let planted = format!(
        "{before}[credentials]\nagent = \"{other}\"\n{}",
        after.split_at(end).1
    );
    std::fs::write(machine.config(), planted).unwrap();
    assert_eq!(
        machine.done("install", &["--for", "jo", "--renew"])["revoked"],
        3
    );
    let listed = machine.root.json(0, &["credential", "list"]);
    let listed = listed["credentials"].as_array().unwrap();
    let stands = listed.iter().find(|it| it["credential"] == other).unwrap();
    assert_eq!(stands["revoked"], false);

    for (user, why) in [("root", "is root"), ("nobody-has-this-name", "no user")] {
        let ran = machine.hook("install", &["--for", user]);
        assert!(ran.code == 2 && ran.err.contains(why), "{}", ran.err);
    }
}
