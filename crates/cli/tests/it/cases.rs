//! `policy test` and `policy library`, as a policy's author and a CI use them.

use std::path::Path;

use crate::support::{Home, copy};

const BUNDLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bundles");

/// A copy of the mail agent, with one text in place of another in a file.
fn mine(home: &Home, file: &str, from: &str, to: &str) {
    let dir = home.path("mine");
    if !dir.exists() {
        copy(&Path::new(BUNDLES).join("mail-agent"), &dir);
    }
    let path = dir.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} lacks `{from}`");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn the_bundles_that_ship_hold_their_cases() {
    let home = Home::new();
    for name in ["mail-agent", "allow-all", "library"] {
        let out = home.ok(&["policy", "test", name, "--min-coverage", "100"]);
        assert!(out.contains("all as expected"), "{out}");
        assert!(!out.contains("no case:"), "{out}");
    }
}

#[test]
fn whoever_breaks_a_policy_sees_which_case_fell_and_why() {
    let home = Home::new();
    mine(
        &home,
        "policies/mail.cedar",
        "context.target.sources.contains(\"user\")",
        "context.target.sources.contains(\"system_field\")",
    );
    let out = home.expect(1, &["policy", "test", "mine"]);
    for part in [
        "FELL  cases/mail.toml:15  the address that the person named",
        "expected approved by only-addresses-named-in-the-turn, found rejected by countersign.no-permit",
        "/to/0 `billing@customer.example`: rejected",
        "permit only-addresses-named-in-the-turn (policies/mail.cedar:2) did not hold:",
        "context.target.sources.contains(\"system_field\")",
        "has the sources user, directory; it would need system_field",
        "no case: only-addresses-named-in-the-turn (policies/mail.cedar:2) never held",
        "of 17 cases; 3 of 4 policies decided a case",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    // Where to click, in a workflow.
    let out = home.expect(1, &["policy", "test", "mine", "--format", "github"]);
    assert!(
        out.starts_with("::error file=mine/cases/mail.toml,line=15,title=the address that the person named::expected approved"),
        "{out}"
    );
    // And for programs.
    let found = home.json(1, &["policy", "test", "mine"]);
    assert_eq!(
        found["fell"].as_u64().unwrap() + found["held"].as_u64().unwrap(),
        17
    );
    let fell = found["cases"].as_array().unwrap();
    let fell = fell
        .iter()
        .find(|case| case["name"] == "the address that the person named");
    let policies = &fell.unwrap()["targets"][0]["policies"];
    let unmet = &policies["only-addresses-named-in-the-turn"]["held"]["no"];
    assert_eq!(unmet["asks"][0]["sources"][0], "system_field");
    assert_eq!(unmet["asks"][0]["had"][0]["sources"][0], "user");
    assert_eq!(found["coverage"]["percent"], 75);
}

#[test]
fn a_filter_runs_fewer_and_too_little_coverage_is_a_no() {
    let home = Home::new();
    let out = home.ok(&["policy", "test", "mail-agent", "--filter", "ticket"]);
    assert!(out.starts_with("held: 4 cases"), "{out}");
    let out = home.ok(&[
        "policy",
        "test",
        "mail-agent",
        "--filter",
        "has left",
        "--cover",
    ]);
    assert!(out.starts_with("policy"), "{out}");
    assert!(
        out.contains("never held") || out.contains("could apply in none"),
        "{out}"
    );
    let few = [
        "policy",
        "test",
        "mail-agent",
        "--filter",
        "ticket",
        "--min-coverage",
    ];
    home.expect(0, &[&few[..], &["25"]].concat());
    let ran = home.run(&[&few[..], &["26"]].concat());
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("25 percent of the policies"),
        "{}",
        ran.err
    );
    home.expect(2, &[&few[..], &["101"]].concat());
    let ran = home.run(&[
        "policy",
        "test",
        "mail-agent",
        "--filter",
        "nothing like it",
    ]);
    assert_eq!(ran.code, 2);
}

#[test]
fn what_cannot_be_tested_is_no_success() {
    let home = Home::new();
    mine(
        &home,
        "cases/mail.toml",
        "expect = \"approved\"",
        "exspect = \"approved\"",
    );
    let ran = home.run(&["policy", "test", "mine"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    for part in [
        "the cases have 1 mistake",
        "`exspect` is no member of a case",
        "cases/mail.toml:19:1",
        "did you mean `expect`?",
    ] {
        assert!(ran.err.contains(part), "{part}\n{}", ran.err);
    }
    // Of a policy, not of a case.
    mine(&home, "cases/mail.toml", "exspect", "expect");
    mine(
        &home,
        "policies/mail.cedar",
        "context.intent.live",
        "context.intent.lives",
    );
    let ran = home.run(&["policy", "test", "mine"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    // Nothing to test is no pass, either.
    std::fs::remove_dir_all(home.path("mine/cases")).unwrap();
    mine(
        &home,
        "policies/mail.cedar",
        "context.intent.lives",
        "context.intent.live",
    );
    let ran = home.run(&["policy", "test", "mine"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("has no cases"), "{}", ran.err);
    home.expect(2, &["policy", "test", "no-such-bundle"]);
}

#[test]
fn a_hostile_case_cannot_steer_the_terminal_or_a_workflow() {
    let home = Home::new();
    mine(
        &home,
        "cases/mail.toml",
        "name = \"the address that the person named\"",
        "name = \"x\\u001b[2J\\n::error::%0A,y\"",
    );
    mine(
        &home,
        "policies/mail.cedar",
        "contains(\"user\")",
        "contains(\"none\")",
    );
    let out = home.expect(1, &["policy", "test", "mine"]);
    assert!(out.contains("x\\u{1b}[2J"), "{out}");
    let out = home.expect(1, &["policy", "test", "mine", "--format", "github"]);
    assert!(
        out.contains("title=x\\u{1b}[2J%0A%3A%3Aerror%3A%3A%250A%2Cy::expected"),
        "{out}"
    );
}

#[test]
fn cases_are_published_nowhere() {
    let home = Home::new();
    let server = home.serve(&[]);
    mine(
        &home,
        "cases/desk.toml",
        "What is new?",
        "What is new here?",
    );
    let stored = home.ok(&["policy", "publish", "mine"]);
    // The same as the bundle in force, which has no such case.
    let current = home.json(0, &["policy", "show"])["policy_ref"].clone();
    assert_eq!(stored.lines().last(), current.as_str());
    server.stop();
}

#[test]
fn the_library_is_listed_and_each_policy_printed_with_its_cases() {
    let home = Home::new();
    let listed = home.json(0, &["policy", "library"]);
    let listed = listed["library"].as_array().unwrap();
    assert!(listed.len() >= 11, "{listed:?}");
    let page = Path::new(BUNDLES).join("../docs/policy-library.md");
    let page = std::fs::read_to_string(page).unwrap();
    for one in listed {
        let name = one["name"].as_str().unwrap();
        assert!(
            page.contains(&format!("| `{name}` |")),
            "{name} is not in the page"
        );
        assert!(!one["about"].as_str().unwrap().is_empty(), "{name}");
        assert!(one["cases"].as_str().unwrap().contains("expect"), "{name}");
        let printed = home.ok(&["policy", "library", name]);
        assert!(
            printed.starts_with(&format!("// policies/{name}.cedar\n//")),
            "{printed}"
        );
    }
    assert!(
        home.ok(&["policy", "library"])
            .contains("marked as churned")
    );
    let ran = home.run(&["policy", "library", "no-such-policy"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("spending-caps"), "{}", ran.err);
}

#[test]
fn a_policy_of_the_library_is_taken_into_a_bundle_and_overwrites_nothing() {
    let home = Home::new();
    mine(&home, "bundle.toml", "mail-agent", "mine");
    std::fs::remove_file(home.path("mine/policies/mail.cedar")).unwrap();
    std::fs::remove_file(home.path("mine/cases/mail.toml")).unwrap();
    let take = [
        "policy",
        "library",
        "recipients-named-in-the-turn",
        "--into",
    ];
    let take = |dir: &'static str| [&take[..], &[dir]].concat();
    home.ok(&take("mine"));
    home.ok(&["policy", "check", "mine"]);
    let out = home.ok(&["policy", "test", "mine", "--min-coverage", "100"]);
    assert!(out.contains("held: 11 cases"), "{out}");
    let ran = home.run(&take("mine"));
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("is there already"), "{}", ran.err);
    assert_eq!(home.run(&take("elsewhere")).code, 2);
    assert!(!home.path("elsewhere").exists());
    home.expect(2, &["policy", "library", "--into", "mine"]);
}
