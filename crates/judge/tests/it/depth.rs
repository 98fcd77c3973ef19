//! Policies that nest deep: what may be published is judged alike on every thread.

use countersign_core::document::{Bundle, BundleContent};
use countersign_core::verdict::Outcome;
use countersign_judge::limits::{EXPRESSION_DEPTH, READ_DEPTH};
use countersign_judge::{BundleError, CompiledBundle, RejudgeInputs, check, judge, rejudge, trace};
use serde_json::json;

use crate::support::{Scene, call, each_type, x};

/// What a thread of tokio, and one of the standard library, has.
const USUAL: usize = 2 * 1024 * 1024;
/// Least that the system gives with some room for the test's own frames.
const SMALL: usize = 512 * 1024;
const LARGE: usize = 64 * 1024 * 1024;

/// Runs on a thread with so much stack, or somewhat more: the system hands out again what it kept.
fn on<T: Send>(stack: usize, run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(stack);
        thread.spawn_scoped(scope, run).unwrap().join().unwrap()
    })
}

fn policy(conditions: &str) -> BundleContent {
    each_type(&format!(
        "@id(\"deep\")\npermit (principal, action, resource) {conditions};"
    ))
}

/// Ways to nest, each so often; all are true, and evaluated to the end.
fn shapes(n: usize) -> Vec<(&'static str, BundleContent)> {
    let test = "context.tool like \"z*\"";
    let wrapped = |before: &str, within: &str, after: &str, n: usize| {
        format!("when {{ {}{within}{} }}", before.repeat(n), after.repeat(n))
    };
    let written = [
        (
            "or",
            format!("when {{ {}true }}", format!("{test} || ").repeat(n - 12)),
        ),
        (
            "and",
            format!("when {{ {}true }}", format!("!({test}) && ").repeat(n - 12)),
        ),
        (
            "if",
            format!(
                "when {{ {}true }}",
                format!("if {test} then false else ").repeat(n - 12)
            ),
        ),
        ("when", format!("when {{ !({test}) }} ").repeat(n - 12)),
        ("plus", format!("when {{ {}1 > 0 }}", "1 + ".repeat(n - 12))),
        ("brackets", wrapped("(", "true", ")", n - 12)),
        ("contains", wrapped("[true].contains(", "true", ")", n / 4)),
        (
            "sets",
            format!(
                "when {{ {0}1{1} == {0}1{1} }}",
                "[".repeat(n / 2),
                "]".repeat(n / 2)
            ),
        ),
        (
            "records",
            format!(
                "when {{ {}true{}{} }}",
                "{a: ".repeat(n / 3),
                "}".repeat(n / 3),
                ".a".repeat(n / 3)
            ),
        ),
        ("not", wrapped("!(true && ", "true", ")", n / 8 * 2)),
    ];
    written
        .into_iter()
        .map(|(name, conditions)| (name, policy(&conditions)))
        .collect()
}

fn stored(content: &BundleContent) -> Result<CompiledBundle, BundleError> {
    let tenant = x("acme");
    let content = content.clone();
    CompiledBundle::stored(Bundle { tenant, content })
}

/// Outcome of the judgement, and of judging again, with the outcome that the trace gives.
fn outcomes(content: &BundleContent) -> [Outcome; 3] {
    let scene = Scene::new(stored(content).unwrap()).says("open 4821");
    let call = call("open.id", json!({"it": "4821"}));
    let facts = scene.facts(&call);
    let again = rejudge(&RejudgeInputs {
        bundle: &scene.bundle,
        facts: &facts,
        call: &call,
        intents: &scene.turns,
        results: &scene.results,
    });
    let traced = trace(&scene.bundle, &facts);
    [
        judge(&scene.bundle, &facts).outcome,
        again.unwrap().outcome,
        traced[0].outcome,
    ]
}

#[test]
fn what_may_be_published_is_judged_alike_on_every_thread() {
    for (name, content) in shapes(EXPRESSION_DEPTH) {
        for stack in [SMALL, USUAL, LARGE] {
            let found = on(stack, || outcomes(&content));
            assert_eq!(found, [Outcome::Approved; 3], "{name} with {stack} bytes");
        }
    }
}

#[test]
fn a_bundle_of_the_log_that_nests_deeper_is_judged_alike_too() {
    // Every third way: compiling takes its time here.
    for (name, content) in shapes(READ_DEPTH).into_iter().step_by(3) {
        for stack in [SMALL, LARGE] {
            let found = on(stack, || outcomes(&content));
            assert_eq!(found, [Outcome::Approved; 3], "{name} with {stack} bytes");
        }
    }
}

#[test]
fn a_chain_at_the_limit_is_published_and_one_beyond_is_not() {
    // Of `{ }`, the scope and the id are three, of the last term two.
    let chain = |terms: usize| {
        let test = "context.tool == \"open.id\"";
        policy(&format!(
            "when {{ {}{test} }}",
            format!("{test} || ").repeat(terms)
        ))
    };
    let fits = EXPRESSION_DEPTH - 5;
    let errors = |content: &BundleContent| {
        let findings = on(SMALL, || check(content, &x("acme")));
        let deep = findings
            .into_iter()
            .filter(|it| it.message.contains("levels"));
        deep.collect::<Vec<_>>()
    };
    assert!(errors(&chain(fits)).is_empty());
    let refused = errors(&chain(fits + 1));
    let [finding] = refused.as_slice() else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (
            finding.file.as_str(),
            finding.line,
            finding.message.as_str()
        ),
        (
            "policies/test.cedar",
            1,
            "the policy nests 257 levels, more than 256"
        )
    );
    assert!(finding.hint.is_some());
    let warned = stored(&chain(fits + 1)).unwrap();
    assert!(
        warned
            .warnings()
            .iter()
            .any(|it| it.message == finding.message)
    );
}

/// Each would end the process if it were parsed.
#[test]
fn what_nests_without_end_is_refused_before_it_is_parsed() {
    let n = 200_000;
    for conditions in [
        format!("when {{ {}1{} }}", "(".repeat(n), ")".repeat(n)),
        format!("when {{ {}1 }}", "1||".repeat(n)),
        format!("when {{ {}1 }}", "if a then b else ".repeat(20_000)),
        format!("when {{ a{} }}", ".a".repeat(n)),
        format!("when {{ {}a{} }}", "[".repeat(n), "]".repeat(n)),
        "when { a } ".repeat(20_000),
        format!("when {{ {}", "{a:".repeat(n)),
    ] {
        assert!(on(SMALL, || stored(&policy(&conditions)).is_err()));
    }
    let mut content = policy("");
    content.schema = format!("type T = {}String{};", "Set<".repeat(n), ">".repeat(n));
    assert!(on(SMALL, || stored(&content).is_err()));
}
