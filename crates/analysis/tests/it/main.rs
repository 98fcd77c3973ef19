//! Tests with a real solver; skipped, loudly, where there is none.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_analysis::{AnalysisError, Relation, SolverCommand, compare, reach};
use countersign_core::document::{Bundle, BundleContent};
use countersign_judge::CompiledBundle;
use serde_json::json;

/// The solver of the machine: what `CVC5` names, or the one of `tools/solver`.
fn solver() -> Option<SolverCommand> {
    let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/solver/cvc5");
    let named = std::env::var_os("CVC5").map_or(shim, PathBuf::from);
    let answers = Command::new(&named)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !answers {
        eprintln!(
            "\n*** SKIPPED: no solver answers at {}; see tools/solver ***\n",
            named.display()
        );
        return None;
    }
    Some(SolverCommand::of(Some(named)))
}

fn bundle(policies: &str) -> CompiledBundle {
    let content: BundleContent = serde_json::from_value(json!({
        "name": "test",
        "policies": [{"name": "policies/test.cedar", "text": policies}],
        "schema": "entity Contact = { \"status\"?: String };",
        "tools": [{
            "tool": "mail", "action": "mail.send", "effect": "write",
            "arguments": {
                "type": "object",
                "properties": {"to": {"type": "array", "items": {"type": "string"}}, "n": {"type": "integer"}},
                "required": ["n"], "additionalProperties": false,
            },
            "roles": {"/to": "identity", "/n": "quantity"},
            "targets": [{"at": "/to", "type": "email", "entity": "Contact", "optional": true}],
        }],
    }))
    .unwrap();
    let tenant = "acme".parse().unwrap();
    CompiledBundle::stored(Bundle { tenant, content }).unwrap()
}

const NAMED: &str = r#"@id("named") permit (principal, action, resource is Contact)
    when { context.intent.live && context has target && context.target.sources.contains("user") };"#;
const CHURNED: &str = r#"@id("churned") forbid (principal, action, resource is Contact)
    when { resource has status && resource.status == "churned" };"#;
const ASK: &str = r#"@id("ask") @escalate forbid (principal, action, resource)
    when { context.args.n > 10 };"#;

fn relation(old: &[&str], new: &[&str]) -> Option<(Relation, usize)> {
    let (old, new) = (bundle(&old.concat()), bundle(&new.concat()));
    let comparison = compare(&old, &new, &solver()?, &mut |_, _| {}).unwrap();
    for difference in &comparison.differences {
        let outcomes = &difference.example.outcomes;
        assert_ne!(outcomes[0], outcomes[1], "{difference:?}");
    }
    Some((comparison.relation, comparison.differences.len()))
}

#[test]
fn a_rule_more_makes_a_bundle_stricter_or_looser() {
    let Some(equal) = relation(&[NAMED], &[NAMED]) else {
        return;
    };
    assert_eq!(equal, (Relation::Equal, 0));
    assert_eq!(
        relation(&[NAMED], &[NAMED, CHURNED]),
        Some((Relation::Stricter, 1))
    );
    assert_eq!(
        relation(&[NAMED, CHURNED], &[NAMED]),
        Some((Relation::Looser, 1))
    );
    assert_eq!(
        relation(&[NAMED, CHURNED], &[NAMED, ASK]).unwrap().0,
        Relation::Neither
    );
}

#[test]
fn asking_a_person_is_stricter_than_letting_pass_and_looser_than_stopping() {
    let Some(asked) = relation(&[NAMED], &[NAMED, ASK]) else {
        return;
    };
    assert_eq!(asked.0, Relation::Stricter);
    let stops = ASK.replace(" @escalate", "");
    assert_eq!(
        relation(&[NAMED, &stops], &[NAMED, ASK]).unwrap().0,
        Relation::Looser
    );
}

#[test]
fn a_state_that_must_not_be_is_reached_or_not() {
    let Some(solver) = solver() else { return };
    let churned = r#"resource has status && resource.status == "churned""#;
    let ask = |policies: &str| reach(&bundle(policies), churned, true, &solver, &mut |_, _| {});
    let (reached, kinds) = ask(NAMED).unwrap();
    assert_eq!((reached.len(), kinds), (1, 2));
    let example = &reached[0].example;
    assert_eq!(example.attributes["status"], "churned");
    assert_eq!(example.context["context.intent.live"], true);
    assert_eq!(example.outcomes, ["approved"]);
    let both = [NAMED, CHURNED].concat();
    assert_eq!(ask(&both).unwrap(), (Vec::new(), 2));
}

#[test]
fn the_hole_of_an_empty_set_is_found() {
    let Some(solver) = solver() else { return };
    // Holds for a call that names nobody.
    let hole = r#"@id("hole") permit (principal, action, resource)
        when { context.mentioned.emails.containsAll(context.targets) };"#;
    let (reached, _) = reach(
        &bundle(hole),
        "!context.has_targets",
        false,
        &solver,
        &mut |_, _| {},
    )
    .unwrap();
    assert_eq!(reached.len(), 1);
}

#[test]
fn what_cannot_be_asked_is_said() {
    let Some(solver) = solver() else { return };
    let ask = |condition: &str| reach(&bundle(NAMED), condition, false, &solver, &mut |_, _| {});
    for condition in ["resource.", "context.nothing == 1", "1 + 1"] {
        let error = ask(condition).unwrap_err();
        assert!(matches!(error, AnalysisError::Condition(_)), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_missing_solver_is_named() {
    let nowhere = SolverCommand::of(Some("/nowhere/cvc5".into()));
    let error = compare(&bundle(NAMED), &bundle(NAMED), &nowhere, &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, AnalysisError::NoSolver(_)), "{error}");
    assert!(error.to_string().contains("/nowhere/cvc5"));
}
