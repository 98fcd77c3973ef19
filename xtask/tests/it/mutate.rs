//! The mutation table as a command.

use std::path::Path;

use serde_json::{Value, json};

use crate::{printed, xtask};

fn reports(arguments: &[&str], code: i32) -> Value {
    let output = xtask(&[&["mutate", "--json"], arguments].concat());
    serde_json::from_str(&printed(&output, code)).unwrap()
}

/// `cargo xtask mutate --smoke` does so for every kind; this is a part of that.
#[test]
fn our_own_logs_have_no_hole_and_no_member_is_forgotten() {
    let parts = "genesis,expired,files,checkpoint,log,vault record";
    let reports = reports(&["--smoke", "--kinds", parts], 0);
    let [all, service] = reports.as_array().unwrap().as_slice() else {
        panic!("{reports}");
    };
    assert_eq!(
        all["kinds"].as_array().unwrap().len(),
        countersign_core::entry::Body::KINDS.len()
    );
    for report in [all, service] {
        assert_eq!(
            (&report["holes"], &report["uncovered"]),
            (&json!([]), &json!([]))
        );
        assert_eq!(report["with_key"], true);
        for row in report["rows"].as_array().unwrap() {
            let without = &row["without_key"];
            assert_eq!(
                (&without["unanchored"], &without["trusted"]),
                (&json!(0), &json!(0)),
                "{row}"
            );
        }
    }
    assert_eq!(
        service["documents"],
        "all given, every decision judged again"
    );
    let removed = |row: &&Value| row["part"] == "vault record" && row["how"] == "removed";
    assert!(
        service["rows"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| removed(&row))
    );
}

/// A log of one entry is a log, and without its key half of the table is there.
#[test]
fn an_export_is_changed_with_its_key_and_without() {
    let scratch = tempfile::tempdir().unwrap();
    let [data, out] = ["data", "out"].map(|name| scratch.path().join(name).display().to_string());
    let made = xtask(&["log", "--size", "40", "--out", &out, "--data", &data]);
    printed(&made, 0);
    let without = reports(&[&out, "--sample", "1", "--kinds", "genesis,key,log"], 0);
    assert_eq!(without[0]["with_key"], false);
    assert_eq!(without[0]["entries"], 40);
    let held = Path::new(&out).join("checkpoint").display().to_string();
    let arguments = [
        &out, "--data", &data, "--hold", &held, "--kinds", "genesis", "--smoke",
    ];
    let with = reports(&arguments, 0);
    let rows = with[0]["rows"].as_array().unwrap();
    assert!(
        rows.iter()
            .all(|row| row["with_key"]["held, yours"]["failed"].as_u64() > Some(0))
    );

    // What does not hold as it is cannot be changed for the table.
    std::fs::write(Path::new(&out).join("checkpoint"), "no checkpoint\n").unwrap();
    let refused = xtask(&["mutate", &out]);
    assert_eq!(printed(&refused, 2), "");
}

/// The page has a line for each kind: whoever adds one runs the command again.
#[test]
fn the_page_has_a_line_for_each_kind_of_entry() {
    let page = crate::root().join("docs/mutation-table.md");
    let text = std::fs::read_to_string(page).unwrap();
    for (kind, _, _) in countersign_core::entry::Body::KINDS {
        assert!(text.contains(&format!("\n| {kind} | ")), "{kind}");
    }
}
