//! Where a line's parts run, and which paths they name.

use countersign_shell::path_words;

use crate::said::said;

#[test]
fn a_directory_that_is_gone_to_is_where_the_rest_runs() {
    for (line, expected) in [
        ("cd a && cat < f", "read a/f"),
        ("cd a && cd b && cat < f", "read a/b/f"),
        ("cd /x/ && cat < f", "read /x/f"),
        ("cd a; cat < f", "read a/f|f"),
        ("cd a || exit 1; cat < f", "read a/f|f"),
        ("(cd a && b); cat < f", "read f"),
        ("cd a & cat < f", "read f"),
        ("cd a | b; cat < f", "read f"),
        ("b | cd a; cat < f", "read f|a/f"),
        ("if b; then cd a; fi; cat < f", "read f|a/f"),
        ("while b; do cd ..; done; cat < f", "read ?"),
        // Through a link, a shell goes back to where the link stands, and the system does not.
        ("cd a && cd .. && cat < f", "read f|a/../f"),
        ("cd a/b/../.. && cat < f", "read f|a/b/../../f"),
        ("cd a && cd ../.. && cat < f", "read ../f|a/../../f"),
        ("cd /a && cd ../.. && cat < f", "read /f|/a/../../f"),
        ("cd ~/a && cd ../.. && cat < f", "read ~/../f|~/a/../../f"),
        ("cd ../x && cat < f", "read ../x/f"),
        ("cd $x && cat < f", "read ?"),
        ("cd && cat < f", "read ?"),
        ("cd - && cat < f", "read ?"),
        ("pushd a && cat < f", "read ?"),
        ("command cd a && cat < f", "read f|a/f"),
        ("eval 'cd a' && cat < f", "read f|a/f"),
        ("f() { cd a; }; f; cat < f", "read ?"),
        (". ./x; cat < f", "read f"),
        ("cd ~/a && cat < f", "read ~/a/f"),
        ("cat < '~/f'", "read ./~/f"),
        ("cd a && cat < /f", "read /f"),
        ("bash -c 'cd a && cat < f'", "read a/f"),
        ("bash -c 'cd a'; cat < f", "read f"),
    ] {
        let said = said(line);
        let reads: Vec<&String> = said
            .iter()
            .filter(|step| step.starts_with("read"))
            .collect();
        assert_eq!(reads, [expected], "{line}");
    }
}

#[test]
fn the_words_that_may_be_paths_are_given_with_what_they_lead_through() {
    let words = path_words("cd a && cat b/../c --file=/d -Ie ~/f \"$x\" | tee g > h; ./run");
    for wanted in [
        "a/b", "a/b/../c", "/d", "a/e", "~/f", "a/g", "a/h", "a/./run", "./run",
    ] {
        assert!(
            words.iter().any(|word| word == wanted),
            "{wanted} in {words:?}"
        );
    }
    assert!(!words.iter().any(|word| word.contains("$x")), "{words:?}");
    assert!(path_words("cat 'unclosed").is_empty());
    // Behind any letter, and in the directory that something is copied to.
    for (line, wanted) in [
        ("sort -ruolink/x a", "link/x"),
        ("cp a/x.json dir", "dir/x.json"),
        ("git mv a/x.json dir", "dir/x.json"),
        ("cd a && mv x ../dir/", "a/../dir/x"),
    ] {
        let words = path_words(line);
        assert!(words.iter().any(|word| word == wanted), "{line}: {words:?}");
    }
}
