//! The commands, run as they are run by hand. Those over recorded data are skipped, and say so,
//! where the data is missing.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod log;
mod mutate;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign-xtask"))
        .args(arguments)
        .output()
        .unwrap()
}

/// What the command printed, if it ended with this code.
pub(crate) fn printed(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn recording(name: &str) -> Option<PathBuf> {
    let path = root().join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: `{}` is missing, so no recorded runs were replayed",
        path.display()
    );
    None
}

fn replayed(name: &str, limit: &str) -> Option<Value> {
    let path = recording(name)?;
    let output = xtask(&["replay", path.to_str().unwrap(), "--limit", limit, "--json"]);
    Some(serde_json::from_str(&printed(&output, 0)).unwrap())
}

#[test]
fn recorded_ground_truth_reaches_the_judge() {
    let Some(report) = replayed("agentdojo-groundtruth-dev.jsonl.zst", "40") else {
        return;
    };
    assert_eq!(
        (&report["passed"], &report["runs"]),
        (&Value::from(true), &Value::from(40))
    );
    assert_eq!(report["errors"], serde_json::json!({}));
    let approved = report["outcomes"]["approved"].as_u64().unwrap();
    assert_eq!(report["results_reported"], approved);
    assert!(
        approved > 0 && report["outcomes"]["rejected"].as_u64().unwrap() > 0,
        "{report}"
    );
}

#[test]
fn recorded_runs_of_models_reach_the_judge() {
    for name in [
        "agentdojo-runs-dev.jsonl.zst",
        "agentdyn-shopping-dev.jsonl.zst",
    ] {
        let Some(report) = replayed(name, "10") else {
            continue;
        };
        assert_eq!(report["passed"], true, "{report}");
    }
}

/// A recording of our own, with one call of every kind of end.
#[test]
fn a_recording_with_calls_that_cannot_be_judged_does_not_pass() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("runs.jsonl");
    let step = |function: &str, args: &str| {
        format!(r#"{{"function":"{function}","args":{args},"output":"done","error":null}}"#)
    };
    let mail = r#"{"recipients":["jo@customer.example"],"subject":"Hi","body":"1"}"#;
    let steps = [
        step("send_email", mail),
        step("send_email", &mail.replace("jo@", "eve@")),
        step("send_email", r#"{"recipients":"jo@customer.example"}"#),
        step("rm_rf", "{}"),
        step("send_email", &mail.replace(r#""1""#, "1e400")),
        step(
            "send_email",
            &mail.replace("Hi\"", "Hi\",\"subject\":\"again\""),
        ),
    ];
    let run = format!(
        r#"{{"suite":"workspace","user_turn":"Write to jo@customer.example.","steps":[{}]}}"#,
        steps.join(",")
    );
    std::fs::write(&path, run).unwrap();
    let output = xtask(&["replay", path.to_str().unwrap(), "--json"]);
    let report: Value = serde_json::from_str(&printed(&output, 1)).unwrap();
    assert_eq!(report["calls"], 6);
    assert_eq!(report["reached_judge"], 2);
    assert_eq!(
        report["outcomes"],
        serde_json::json!({"approved": 1, "rejected": 5})
    );
    assert_eq!(report["args_not_strict"], 2);
    assert_eq!(report["errors"], serde_json::json!({}));
    assert_eq!(report["passed"], false);
}

#[test]
fn a_file_that_is_no_recording_is_named_with_its_line() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("runs.jsonl");
    std::fs::write(&path, "\n{\"suite\": 1}\n").unwrap();
    let output = xtask(&["replay", path.to_str().unwrap()]);
    assert_eq!(printed(&output, 2), "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2"));
}

/// Also in the dev build: that each case runs, not how fast. The others run in `.ci/run`.
#[test]
fn a_smoke_run_of_the_bench_measures_every_case() {
    let output = xtask(&["bench", "http", "--smoke", "--json"]);
    let report: Value = serde_json::from_str(&printed(&output, 0)).unwrap();
    let cases = report["durable"]["cases"].as_array().unwrap();
    let clients: Vec<u64> = cases
        .iter()
        .filter_map(|case| case["clients"].as_u64())
        .collect();
    assert_eq!(clients, [1, 16, 64]);
    assert!(
        cases
            .iter()
            .all(|case| case["wall"]["count"].as_u64() > Some(0)),
        "{report}"
    );
    assert!(report["durable"]["fdatasync"]["count"].as_u64() > Some(0));
    assert_eq!(
        (&report["judge"], &report["smoke"]),
        (&Value::Null, &Value::from(true))
    );
}

#[test]
fn a_server_keeps_what_it_acknowledged_when_it_is_killed() {
    let output = xtask(&["crash", "--rounds", "4", "--json"]);
    let report: Value = serde_json::from_str(&printed(&output, 0)).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["logs"], 1);
}

/// A server that goes back to yesterday's data is found out: the campaign can fail.
#[test]
fn a_server_that_forgets_is_found() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("forgetful");
    let server = Path::new(env!("CARGO_BIN_EXE_countersign-xtask")).with_file_name("countersign");
    let text = format!(
        "#!/bin/sh\n\
         for data; do :; done\n\
         if [ -d {dir}/old ]; then rm -rf \"$data\"; cp -a {dir}/old \"$data\"\n\
         else cp -a \"$data\" {dir}/old; fi\n\
         exec {server} \"$@\"\n",
        dir = dir.path().display(),
        server = server.display(),
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let script = script.to_str().unwrap();
    let scratch = dir.path().to_str().unwrap();
    let arguments = ["--rounds", "12", "--seed", "1", "--dir", scratch, "--json"];
    let output = xtask(&[&["crash", "--server", script][..], &arguments].concat());
    let report: Value = serde_json::from_str(&printed(&output, 1)).unwrap();
    let found = report["findings"].to_string();
    assert!(
        found.contains("was given twice") || found.contains("is lost"),
        "{found}"
    );
}
