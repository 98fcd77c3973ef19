//! Tables of bad input, each with the error that it gets.

use crate::vectors::{PETER_LINE, PETER_TEXT};
use countersign_merkle::{Hash, TreeSize};
use countersign_note::note::{MAX_NOTE_LEN, MAX_SIGNATURES};
use countersign_note::{
    Checkpoint, CheckpointFormatError, Note, NoteError, NoteSignature, ProofFormatError, TlogProof,
};

fn parse(note: impl AsRef<[u8]>) -> NoteError {
    Note::parse(note.as_ref()).unwrap_err()
}

#[test]
fn notes() {
    let signed = |lines: &str| format!("text\n\n{lines}");
    let control = |character| NoteError::ControlCharacter { character };
    let cases: Vec<(String, NoteError)> = vec![
        (String::new(), NoteError::NoBlankLine),
        ("\n".into(), NoteError::NoBlankLine),
        ("\n\n".into(), NoteError::NoSignatures),
        (PETER_TEXT.into(), NoteError::NoBlankLine),
        (format!("{PETER_TEXT}{PETER_LINE}"), NoteError::NoBlankLine),
        (format!("\n{PETER_LINE}"), NoteError::NoBlankLine),
        (format!("{PETER_TEXT}\n"), NoteError::NoSignatures),
        (
            format!("{PETER_TEXT}\n{}", PETER_LINE.trim_end()),
            NoteError::NoNewline,
        ),
        (
            format!("{PETER_TEXT}\n{PETER_LINE}\n"),
            NoteError::NoSignatures,
        ),
        (format!("\u{1}{PETER_TEXT}\n{PETER_LINE}"), control('\u{1}')),
        (format!("\0{PETER_TEXT}\n{PETER_LINE}"), control('\0')),
        (format!("a\tb\n\n{PETER_LINE}"), control('\t')),
        (
            format!("{PETER_TEXT}\n{PETER_LINE}").replace('\n', "\r\n"),
            control('\r'),
        ),
        (
            format!("{PETER_TEXT}\n{PETER_LINE}more\n"),
            NoteError::SignatureLine { line: 2 },
        ),
        (
            signed("- a AAAAAAA=\n"),
            NoteError::SignatureLine { line: 1 },
        ),
        (
            signed("– a AAAAAAA=\n"),
            NoteError::SignatureLine { line: 1 },
        ),
        (
            signed("—a AAAAAAA=\n"),
            NoteError::SignatureLine { line: 1 },
        ),
        (signed("— AAAAAAA=\n"), NoteError::SignatureLine { line: 1 }),
        (
            signed(" — a AAAAAAA=\n"),
            NoteError::SignatureLine { line: 1 },
        ),
        (
            signed("—\u{a0}a AAAAAAA=\n"),
            NoteError::SignatureLine { line: 1 },
        ),
        (
            signed("— a AAAAAAA=\n\u{feff}— a AAAAAAA=\n"),
            NoteError::SignatureLine { line: 2 },
        ),
        // A second space makes the rest no base64.
        (
            signed("— a b AAAAAAA=\n"),
            NoteError::SignatureBytes { line: 1 },
        ),
        (
            signed("— a AAAAAAA= \n"),
            NoteError::SignatureBytes { line: 1 },
        ),
        (signed("— a \n"), NoteError::SignatureBytes { line: 1 }),
        (signed("— a AAAA\n"), NoteError::SignatureBytes { line: 1 }),
        // Four bytes are a key id without a signature.
        (
            signed("— a AAAAAA==\n"),
            NoteError::SignatureBytes { line: 1 },
        ),
        // No padding, stray bits, the URL alphabet.
        (
            signed("— a AAAAAAA\n"),
            NoteError::SignatureBytes { line: 1 },
        ),
        (
            signed("— a AAAAAAB=\n"),
            NoteError::SignatureBytes { line: 1 },
        ),
        (
            signed("— a AAAAA_A=\n"),
            NoteError::SignatureBytes { line: 1 },
        ),
        (
            signed(&PETER_LINE.repeat(MAX_SIGNATURES + 1)),
            NoteError::TooManySignatures,
        ),
    ];
    for (note, error) in cases {
        assert_eq!(parse(&note), error, "{note:?}");
    }
    for name in ["a+b", "", "a\u{2003}b", "a\u{a0}b"] {
        let note = signed(&format!("— {name} AAAAAAA=\n"));
        let refused = parse(&note);
        assert!(
            matches!(refused, NoteError::SignatureName { line: 1, .. }),
            "{name:?}: {refused}"
        );
    }
    assert_eq!(
        parse([b"\xff".as_slice(), PETER_LINE.as_bytes()].concat()),
        NoteError::NotUtf8
    );
    // A surrogate in the manner of CESU-8.
    assert_eq!(parse(b"\xed\xa0\x80\n\n"), NoteError::NotUtf8);
    let long = vec![b'x'; MAX_NOTE_LEN + 1];
    assert_eq!(parse(&long), NoteError::TooLong { got: long.len() });
}

#[test]
fn sixty_four_signatures_and_odd_texts_are_accepted() {
    for text in [
        "\n",
        "\n\n",
        "a\n\n\n",
        "—\n",
        "— a AAAAAAA=\n",
        "a\n\n— a AAAAAAA=\n",
        "\u{7f}\u{85}\n",
    ] {
        let note = format!("{text}\n{}", PETER_LINE.repeat(MAX_SIGNATURES));
        let parsed = Note::parse(note.as_bytes()).unwrap();
        assert_eq!(parsed.text(), text);
        assert_eq!(parsed.signatures().len(), MAX_SIGNATURES);
        assert_eq!(parsed.to_string(), note);
    }
}

#[test]
fn making_a_note_obeys_the_same_limits() {
    let line = || NoteSignature::parse_lines(PETER_LINE).unwrap().remove(0);
    let new = |text: &str, count| Note::new(text.into(), vec![line(); count]);
    assert_eq!(new("no newline", 1), Err(NoteError::NoNewline));
    assert_eq!(new("", 1), Err(NoteError::NoNewline));
    assert_eq!(new("text\n", 0), Err(NoteError::NoSignatures));
    assert_eq!(new("text\n", 65), Err(NoteError::TooManySignatures));
    assert_eq!(
        new("a\tb\n", 1),
        Err(NoteError::ControlCharacter { character: '\t' })
    );
    let text = format!("{}\n", "x".repeat(MAX_NOTE_LEN - 10));
    assert!(matches!(new(&text, 1), Err(NoteError::TooLong { .. })));

    // What is there already is not added again; what does not fit is not added at all.
    let mut note = new("text\n", 1).unwrap();
    note.add_signature(line()).unwrap();
    assert_eq!(note.signatures().len(), 1);
    let mut note = new("text\n", 64).unwrap();
    let other = "— a AAAAAAA=\n";
    let other = NoteSignature::parse_lines(other).unwrap().remove(0);
    assert_eq!(note.add_signature(other), Err(NoteError::TooManySignatures));
    assert_eq!(note.signatures().len(), 64);
}

#[test]
fn answers_of_witnesses() {
    let two = NoteSignature::parse_lines(&PETER_LINE.repeat(2)).unwrap();
    assert_eq!(two.len(), 2);
    assert_eq!(two[0].to_string(), PETER_LINE);
    let blank_line = format!("{PETER_LINE}\n");
    for (lines, error) in [
        ("", NoteError::NoNewline),
        ("\n", NoteError::SignatureLine { line: 1 }),
        (blank_line.as_str(), NoteError::SignatureLine { line: 2 }),
        (PETER_LINE.trim_end(), NoteError::NoNewline),
    ] {
        assert_eq!(NoteSignature::parse_lines(lines), Err(error), "{lines:?}");
    }
}

const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

#[test]
fn checkpoints() {
    use CheckpointFormatError as Error;
    let origin = |text: &str| Error::Origin {
        origin: text.into(),
    };
    let size = |text: &str| Error::Size { size: text.into() };
    let root = |text: &str| Error::Root { root: text.into() };
    let long = "x".repeat(256);
    let cases: Vec<(String, Error)> = vec![
        (String::new(), Error::Lines),
        ("\n".into(), Error::Lines),
        ("a\n1\n".into(), Error::Lines),
        (format!("a\n1\n{ROOT}"), Error::Lines),
        (format!("\n1\n{ROOT}\n"), origin("")),
        (format!("a\u{1}\n1\n{ROOT}\n"), origin("a\\u{1}")),
        (format!("{long}\n1\n{ROOT}\n"), origin(&long)),
        (format!("a\n\n{ROOT}\n"), size("")),
        (format!("a\n01\n{ROOT}\n"), size("01")),
        (format!("a\n+1\n{ROOT}\n"), size("+1")),
        (format!("a\n-1\n{ROOT}\n"), size("-1")),
        (format!("a\n1 \n{ROOT}\n"), size("1 ")),
        (format!("a\n0x1\n{ROOT}\n"), size("0x1")),
        (format!("a\n1e3\n{ROOT}\n"), size("1e3")),
        (format!("a\n١\n{ROOT}\n"), size("١")),
        (
            format!("a\n9223372036854775809\n{ROOT}\n"),
            size("9223372036854775809"),
        ),
        (
            format!("a\n18446744073709551616\n{ROOT}\n"),
            size("18446744073709551616"),
        ),
        ("a\n1\n\n".into(), root("")),
        ("a\n1\nAAAA\n".into(), root("AAAA")),
        (
            format!("a\n1\n{}\n", ROOT.trim_end_matches('=')),
            root(ROOT.trim_end_matches('=')),
        ),
        (format!("a\n1\n {ROOT}\n"), root(&format!(" {ROOT}"))),
        (format!("a\n1\n{ROOT}\n\n"), Error::Extension),
        (format!("a\n1\n{ROOT}\nx\n\ny\n"), Error::Extension),
        (format!("a\n1\n{ROOT}\nx\ty\n"), Error::Extension),
        (
            format!("a\n1\n{ROOT}\n{}", "x\n".repeat(33)),
            Error::Extension,
        ),
    ];
    for (text, error) in cases {
        assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
    }
    for text in [
        format!("a\n0\n{ROOT}\n"),
        format!("a b+c\n9223372036854775808\n{ROOT}\n"),
        format!("a\n1\n{ROOT}\n{}", "x\n".repeat(32)),
    ] {
        assert_eq!(Checkpoint::parse(&text).unwrap().to_string(), text);
    }
}

#[test]
fn a_checkpoint_cannot_be_made_to_say_something_else() {
    let root = Hash::from_bytes([1; 32]);
    for origin in ["a\n5", "a\r", "", "a\n"] {
        let refused = Checkpoint::new(origin, TreeSize::new(1), root);
        assert!(
            matches!(refused, Err(CheckpointFormatError::Origin { .. })),
            "{origin:?}"
        );
    }
    for line in ["", "x\n", "x\ny", "\0"] {
        let lines = vec![line.to_owned()];
        let refused = Checkpoint::with_extensions("a", TreeSize::new(1), root, lines);
        assert_eq!(refused, Err(CheckpointFormatError::Extension), "{line:?}");
    }
}

#[test]
fn proofs() {
    use ProofFormatError as Error;
    let note = format!("{PETER_TEXT}\n{PETER_LINE}");
    let proof = |head: &str| format!("c2sp.org/tlog-proof@v1\n{head}\n{note}");
    let long_extra = format!("extra {}\nindex 0\n", "A".repeat(90_000));
    let cases: Vec<(String, Error)> = vec![
        (String::new(), Error::NoBlankLine),
        (
            "c2sp.org/tlog-proof@v1\nindex 0\n".into(),
            Error::NoBlankLine,
        ),
        (proof("index 0\n").replace("@v1", "@v2"), Error::Header),
        (format!("\n{}", proof("index 0\n")), Error::Header),
        (format!(" {}", proof("index 0\n")), Error::Header),
        (proof(""), Error::Index),
        (proof("index 00\n"), Error::Index),
        (proof("index -1\n"), Error::Index),
        (proof("index\n"), Error::Index),
        (proof("index  1\n"), Error::Index),
        (proof("index 18446744073709551616\n"), Error::Index),
        (proof("Index 1\n"), Error::Index),
        (proof("extra\nindex 1\n"), Error::Index),
        (proof("extra AAAA\nextra AAAA\nindex 1\n"), Error::Index),
        (proof("extra \nindex 1\n"), Error::Extra),
        (proof("extra AAA\nindex 1\n"), Error::Extra),
        (proof(&long_extra), Error::Extra),
        (
            proof("index 1\nextra AAAA\n"),
            Error::PathHash { position: 1 },
        ),
        (
            proof(&format!("index 1\n{ROOT}\nAAAA\n")),
            Error::PathHash { position: 2 },
        ),
        (
            proof(&format!("index 1\n{ROOT} \n")),
            Error::PathHash { position: 1 },
        ),
        (
            proof(&format!("index 1\n{}", format!("{ROOT}\n").repeat(65))),
            Error::PathTooLong,
        ),
        (
            "c2sp.org/tlog-proof@v1\nindex 0\n\n".into(),
            Error::Note(NoteError::NoBlankLine),
        ),
        (
            format!("{}{PETER_LINE}\n", proof("index 0\n")),
            Error::Note(NoteError::NoSignatures),
        ),
    ];
    for (text, error) in cases {
        assert_eq!(TlogProof::parse(&text), Err(error), "{text:?}");
    }
    let got = countersign_note::proof::MAX_PROOF_LEN + 1;
    let long = "x".repeat(got);
    assert_eq!(TlogProof::parse(&long), Err(Error::TooLong { got }));
}
