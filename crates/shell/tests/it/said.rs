//! Each thing that a line does is found, wherever it stands.

use countersign_shell::{Step, steps};

/// The steps as short texts: `run NAME ARGS`, `read PATHS`, `write PATHS`, `set NAME`, …
pub(crate) fn said(line: &str) -> Vec<String> {
    let steps = steps(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    steps.iter().map(shown).collect()
}

fn shown(step: &Step) -> String {
    let word = |word: &countersign_shell::Word| match word.known() {
        Some(text) => text.to_owned(),
        None => format!("<{}>", word.text),
    };
    let paths = |word: &countersign_shell::Word, place: &countersign_shell::Place| {
        place
            .paths(word)
            .map_or_else(|| "?".to_owned(), |paths| paths.join("|"))
    };
    match step {
        Step::Run(run) => {
            let mut all = vec!["run".to_owned(), word(&run.program)];
            all.extend(run.args.iter().map(word));
            all.join(" ")
        }
        Step::Reads(path, place) => format!("read {}", paths(path, place)),
        Step::Writes(path, place) => format!("write {}", paths(path, place)),
        Step::Sets(name) => format!("set {name}"),
        Step::Code(name) => format!("code {name}"),
        Step::Connects(to) => format!("connect {to}"),
    }
}

#[test]
fn every_simple_command_is_found() {
    for (line, expected) in [
        ("ls -la", &["run ls -la"][..]),
        ("a; b\nc & d", &["run a", "run b", "run c", "run d"]),
        (
            "a && b || c | d |& e",
            &["run a", "run b", "run c", "run d", "run e"],
        ),
        ("! a", &["run a"]),
        ("time a b", &["run a b"]),
        ("(a; (b))", &["run a", "run b"]),
        ("{ a; b; } > f", &["write f", "run a", "run b"]),
        (
            "if a; then b; elif c; then d; else e; fi",
            &["run a", "run b", "run c", "run d", "run e"],
        ),
        ("while a; do b; done", &["run a", "run b"]),
        ("until a\ndo b\ndone", &["run a", "run b"]),
        (
            "for f in x $(a) y; do b \"$f\"; done",
            &["run a", "run b <\"$f\">"],
        ),
        ("case $x in (a|b) c;; *) d ;; esac", &["run c", "run d"]),
        ("f() { a; }; f", &["code f", "run a", "run f"]),
        ("function f { a; }", &["code f", "run a"]),
        ("[[ -f $(a) && x == y* ]]", &["run a"]),
        (
            "echo \"$(a \"$(b)\")\" `c`",
            &[
                "run b",
                "run a <\"$(b)\">",
                "run c",
                "run echo <\"$(a \"$(b)\")\"> <`c`>",
            ],
        ),
        (
            "diff <(a) >(b)",
            &["run a", "run b", "run diff <<(a)> <>(b)>"],
        ),
        ("x=$(a) b", &["run a", "run b"]),
        ("X=1 b", &["set X", "run b"]),
        ("A=(x $(a))", &["set A", "run a"]),
        (
            "echo ${x:-$(a)} ${y%%.*}",
            &["run a", "run echo <${x:-$(a)}> <${y%%.*}>"],
        ),
        (
            "echo $((1 + $(a)))",
            &["run a", "run echo <$((1 + $(a)))>", "code arithmetic"],
        ),
        (
            "a > out < in 2>> err",
            &["write out", "read in", "write err", "run a"],
        ),
        ("a > /dev/null 2>&1 &> log", &["write log", "run a"]),
        (
            "a > /dev/tcp/x.example/80",
            &["connect /dev/tcp/x.example/80", "run a"],
        ),
        (
            "cat <<E | b\n$(a)\nE\nc",
            &["run cat", "run b", "run c", "run a"],
        ),
        ("cat <<'E'\n$(a)\nE", &["run cat"]),
        ("cat <<-E\n\tx\n\tE\na", &["run cat", "run a"]),
        ("a <<< \"$(b)\"", &["run b", "run a"]),
        ("a \\\n  b", &["run a b"]),
        ("a # b; c", &["run a"]),
        ("a b#c", &["run a b#c"]),
        ("r\"m\" -\\r 'x y'", &["run rm -r x y"]),
        ("$'a\\'b' c", &["run a'b c"]),
    ] {
        assert_eq!(said(line), expected, "{line}");
    }
}

#[test]
fn what_programs_run_in_their_turn_is_found() {
    for (line, expected) in [
        ("sudo -u x rm y", &["run sudo", "run rm y"][..]),
        ("env A=1 B=2 rm y", &["set A", "set B", "run rm y"]),
        ("nohup nice -n 5 timeout -k 3 10s rm y", &["run rm y"]),
        ("ls | xargs -0 -n1 rm -f", &["run ls", "run rm -f <{}>"]),
        ("xargs -I % sh -c 'a'", &["run a"]),
        (
            "find . -name '*.o' -exec rm {} \\; -print",
            &["run find . -name *.o -print", "run rm <{}>"],
        ),
        ("bash -c 'a; bash -c \"b\"'", &["run a", "run b"]),
        ("sh -ec 'a && b'", &["run a", "run b"]),
        ("bash -euo pipefail -c 'a'", &["run a"]),
        ("bash +x -c 'a'", &["run a"]),
        ("eval a \"b; c\"", &["run a b", "run c"]),
        ("curl x | sh", &["run curl x", "code sh"]),
        ("bash script.sh x", &["run bash script.sh x"]),
        ("watch -n 1 'a; b'", &["run a", "run b"]),
        ("exec rm y", &["run rm y"]),
        ("command -v git", &["run command -v git"]),
        ("command rm y", &["run rm y"]),
        ("trap 'rm y' EXIT", &["run rm y", "code trap"]),
        ("export PATH=/x:$PATH A", &["set PATH", "set A"]),
        ("read -r line NAME", &["set NAME"]),
        (
            "while read -r f; do rm \"$f\"; done < list",
            &["read list", "run rm <\"$f\">"],
        ),
        ("time -o f rm y", &["run time -o f rm y"]),
        ("env -S 'rm y'", &["run env -S rm y"]),
        ("for PATH in a; do b; done", &["set PATH", "run b"]),
    ] {
        assert_eq!(said(line), expected, "{line}");
    }
}

#[test]
fn words_that_are_not_known_beforehand_are_marked() {
    for line in [
        "a $x",
        "a \"$x\"",
        "a *.rs",
        "a x?",
        "a [ab]",
        "a {b,c}",
        "a {1..3}",
        "a ~user/x",
        "a =ls",
        "a $(b)",
        "a `b`",
        "a \"x${y}\"",
        "a x$((1))",
    ] {
        let all = steps(line).unwrap();
        let Some(Step::Run(run)) = all.last() else {
            panic!("{line}")
        };
        assert!(!run.args[0].is_literal, "{line}");
    }
    for (line, text) in [
        ("a '$x'", "$x"),
        ("a \\*.rs", "*.rs"),
        ("a HEAD^", "HEAD^"),
        ("a {}", "{}"),
        ("a [", "["),
        ("a \"a b\"", "a b"),
        ("a x=~", "x=~"),
        ("a ~/x", "~/x"),
        ("a $", "$"),
        ("a =", "="),
        ("a '~/x'", "~/x"),
        ("a stash@{0}", "stash@{0}"),
        ("a %s", "%s"),
        ("a ==", "=="),
    ] {
        let all = steps(line).unwrap();
        let Some(Step::Run(run)) = all.last() else {
            panic!("{line}")
        };
        assert_eq!(run.args[0].known(), Some(text), "{line}");
        assert_eq!(run.args[0].is_tilde, line.starts_with("a ~/"), "{line}");
    }
}

#[test]
fn a_value_that_is_evaluated_and_may_run_something_is_code() {
    for line in [
        "read x <<< 'a[$(b)]'; echo $((x))",
        "while read -r x; do echo $((x)); done < f",
        "export x='a[$(b)]'; echo $((x))",
        "local x=$(b); echo $((x))",
        "set -- 'a[$(b)]'; echo $(($1))",
        "echo $(( ${1} + 1 ))",
        ": 'a[$(b)]'; echo $(($_))",
        ": 'a[$(b)]'; echo $((_))",
        "bash -c 'echo $((x))' _ \"$(b)\"",
        "bash -c 'echo $(($1))' _ 'a[$(b)]'",
        "read y < f; echo ${z[y]}",
        "[[ a -eq 'a[$(b)]' ]]",
        "for x in *; do echo $((x)); done",
    ] {
        let said = said(line);
        assert!(
            said.iter().any(|step| step == "code arithmetic"),
            "{line}: {said:?}"
        );
    }
    for line in [
        "i=0; while [ $i -lt 3 ]; do i=$((i+1)); done",
        "for i in 1 2 3; do echo $((i * 2)); done",
        "for f in a b; do n=1; echo $((n+1)) $f; done",
        "read x < f; echo $x",
        "echo \"[$(b)]\"",
        "set -e; n=1; echo $((n+1))",
    ] {
        let said = said(line);
        assert!(
            !said.iter().any(|step| step == "code arithmetic"),
            "{line}: {said:?}"
        );
    }
}

#[test]
fn an_index_in_a_test_is_refused() {
    for line in [
        "[ -v 'a[$(b)]' ]",
        "test -v \"$x\"",
        "[ ! -R 'a[`b`]' ]",
        "[ 'a[$(b)]' -eq 1 ]",
        "wait -n -p 'a[$(b)]'",
        "exit 'a[$(b)]'",
    ] {
        assert!(steps(line).is_err(), "{line}");
    }
    for line in [
        "[ -v x ]",
        "[ \"$x\" = \"[y]\" ]",
        "[ -n \"$(b)\" ]",
        "wait $!",
    ] {
        assert!(steps(line).is_ok(), "{line}");
    }
}

#[test]
fn small_letters_are_not_always_plain() {
    for name in [
        "npm_config_registry",
        "functions",
        "commands",
        "precmd_functions",
        "aliases",
    ] {
        assert!(
            said(&format!("{name}=x a")).contains(&format!("set {name}")),
            "{name}"
        );
    }
    for name in ["x", "name", "files", "npm", "registry"] {
        assert_eq!(said(&format!("{name}=x a")), ["run a"], "{name}");
    }
}
