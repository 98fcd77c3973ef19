//! Two signed heads that cannot both be true, and texts that only look like it.

use countersign_note::{NoteSigner as _, VerifierKey};
use countersign_verify::{Check, Contradiction, NotProven, Prefix, Report, Word};

use crate::large::leaves;
use crate::log::{Key, audit, checkpoint, publish, signed_by, trust};

fn keys() -> Vec<VerifierKey> {
    vec![Key::log().verifier_key().clone()]
}

/// The leaves of another history: the same up to `from`.
fn other(n: usize, from: usize) -> Vec<Vec<u8>> {
    let mut other = leaves(n);
    for leaf in &mut other[from..] {
        let text = String::from_utf8(leaf.clone()).unwrap();
        *leaf = text.replace("2026", "2027").into_bytes();
    }
    other
}

fn found(held: &[Vec<u8>]) -> (Report, Contradiction) {
    let report = audit(&publish(&leaves(600)), trust().holding(checkpoint(held)));
    assert_eq!((report.word, report.exit_code()), (Word::Failed, 3));
    let contradiction = report.contradiction.clone().unwrap();
    (report, contradiction)
}

#[test]
fn a_stranger_can_check_it_with_the_key_alone() {
    for n in [1, 2, 5, 64, 255, 256, 257, 599, 600] {
        let (_, contradiction) = found(&other(n, n / 2));
        assert_eq!(contradiction.prefix.is_some(), n < 600, "{n}");
        let text = contradiction.to_text();
        let read = Contradiction::parse(text.as_bytes()).unwrap();
        assert_eq!(read, contradiction);
        let proven = read.prove(&keys()).unwrap();
        assert_eq!(proven.sizes, (n as u64, 600));
        assert_eq!(proven.keys, keys());
        assert_eq!(read.names(), Some((proven.origin, 600)));
        let stranger = Key::new(crate::log::ORIGIN, 77).verifier_key().clone();
        assert!(matches!(
            read.prove(&[stranger]),
            Err(NotProven::Head { .. })
        ));
    }
}

#[test]
fn heads_that_do_not_contradict_prove_nothing() {
    let (all, note) = (leaves(600), |n: usize| checkpoint(&leaves(n)).to_string());
    let of = |ours: String, theirs: String, prefix| Contradiction {
        ours,
        theirs,
        prefix,
    };
    assert_eq!(
        of(note(600), note(600), None).prove(&keys()),
        Err(NotProven::Same { size: 600 })
    );
    assert_eq!(
        of(note(600), note(300), None).prove(&keys()),
        Err(NotProven::NoPrefix(300, 600))
    );
    // The proof of a true contradiction, put beside a head that does not contradict.
    let (_, true_one) = found(&other(300, 100));
    let prefix = true_one.prefix.clone().unwrap();
    assert_eq!(
        of(note(600), note(300), Some(prefix.clone())).prove(&keys()),
        Err(NotProven::Consistent)
    );
    for wrong in [
        Prefix {
            size: 299,
            ..prefix.clone()
        },
        Prefix {
            root: checkpoint_root(&other(300, 100)),
            ..prefix.clone()
        },
        Prefix {
            path: prefix.path[1..].to_vec(),
            ..prefix.clone()
        },
        Prefix {
            path: vec![prefix.root; 200],
            ..prefix.clone()
        },
    ] {
        let made = of(true_one.ours.clone(), true_one.theirs.clone(), Some(wrong));
        assert!(matches!(made.prove(&keys()), Err(NotProven::Prefix(_))));
    }
    let elsewhere = Key::new("elsewhere.example/log", 5);
    let foreign = signed_by(&elsewhere, "elsewhere.example/log", &all).to_string();
    let both = [keys(), vec![elsewhere.verifier_key().clone()]].concat();
    assert!(matches!(
        of(note(600), foreign, None).prove(&both),
        Err(NotProven::Origins { .. })
    ));
}

fn checkpoint_root(leaves: &[Vec<u8>]) -> countersign_merkle::Hash {
    let note = checkpoint(leaves);
    countersign_note::Checkpoint::parse(note.text())
        .unwrap()
        .root()
}

#[test]
fn every_byte_of_the_file_counts_or_is_a_comment() {
    let (_, contradiction) = found(&other(300, 100));
    let text = contradiction.to_text();
    let comments: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let start = line.as_ptr() as usize - text.as_ptr() as usize;
            start..start + line.len() + 1
        })
        .collect();
    for position in 0..text.len() {
        if comments.iter().any(|range| range.contains(&position)) {
            continue;
        }
        let mut changed = text.clone().into_bytes();
        changed[position] ^= 1;
        let result =
            Contradiction::parse(&changed).and_then(|contradiction| contradiction.prove(&keys()));
        assert!(result.is_err(), "byte {position}");
        let cut = Contradiction::parse(&text.as_bytes()[..position]);
        assert!(cut.and_then(|it| it.prove(&keys())).is_err(), "{position}");
    }
    let twice = format!("{text}\n{text}");
    assert!(Contradiction::parse(twice.as_bytes()).is_err());
    for junk in ["", "\n", "\n\n\n\n\n", "countersign contradiction v1\n"] {
        assert!(Contradiction::parse(junk.as_bytes()).is_err());
    }
    let long = vec![b'\n'; countersign_verify::MAX_CONTRADICTION_LEN + 1];
    assert!(Contradiction::parse(&long).is_err());
    let path = "path ".to_owned() + &"A".repeat(43) + "=\n";
    let paths = text.replacen("path ", &format!("{}path ", path.repeat(65)), 1);
    assert!(Contradiction::parse(paths.as_bytes()).is_err());
}

#[test]
fn two_held_heads_that_contradict_each_other_are_found() {
    let all = leaves(600);
    // Both larger than the log, so that the log itself shows nothing of them.
    let trust = trust()
        .holding(checkpoint(&leaves(650)))
        .holding(checkpoint(&other(650, 610)));
    let report = audit(&publish(&all), trust);
    assert_eq!((report.word, report.exit_code()), (Word::Failed, 3));
    assert_eq!(report.findings[0].check, Check::HeldCheckpoint);
    let contradiction = report.contradiction.unwrap();
    assert_eq!(contradiction.prefix, None);
    assert_eq!(contradiction.prove(&keys()).unwrap().sizes, (650, 650));
}
