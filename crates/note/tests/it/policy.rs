//! Policies: what they may say, and what they then say of checkpoints.

use crate::support::{TestLog, TestSigner};
use countersign_note::policy::LineProblem;
use countersign_note::{
    CheckpointError, NoteVerifyError, PolicyError, PolicyOutcome, SignatureType, TlogPolicy,
};

const ORIGIN: &str = "example.com/log";

fn witnesses() -> Vec<TestSigner> {
    (0..6)
        .map(|n| TestSigner::witness(&format!("w{n}.example"), 10 + n))
        .collect()
}

/// The example of the specification, with keys.
fn example(log: &TestLog) -> String {
    let keys: Vec<String> = witnesses().iter().map(|w| w.key.to_string()).collect();
    let [x1, x2, x3, y1, y2, y3] = keys.try_into().unwrap();
    format!(
        "# an example\n\
         log {} https://log.example/\n\
         \n\
         witness X1 {x1}\n\
         witness X2 {x2} https://w1.example/\n\
         witness\tX3\t {x3}  \n\
         group X-witnesses 2 X1 X2 X3\n\
         \t  # indented\n\
         witness Y1 {y1}\n\
         witness Y2 {y2}\n\
         witness Y3 {y3}\n\
         group Y-witnesses any Y1 Y2 Y3\n\
         \n\
         group X-and-Y all X-witnesses Y-witnesses\n\
         quorum X-and-Y\n",
        log.signer.key
    )
}

#[test]
fn the_example_for_every_set_of_witnesses() {
    let log = TestLog::new(ORIGIN, 7);
    let policy = TlogPolicy::parse(example(&log).as_bytes()).unwrap();
    assert_eq!(
        policy.logs()[0].url().unwrap().as_bytes(),
        b"https://log.example/"
    );
    assert_eq!(policy.witnesses().len(), 6);
    assert_eq!(
        policy.witnesses()[1].url().unwrap().to_string(),
        "https://w1.example/"
    );
    assert_eq!(policy.unsupported_keys().count(), 0);
    let witnesses = witnesses();
    for set in 0..64_u32 {
        let mut note = log.checkpoint();
        for (n, witness) in witnesses.iter().enumerate() {
            if set >> n & 1 == 1 {
                note.add_signature(witness.cosign(&note, 1)).unwrap();
            }
        }
        let is_expected = (set & 0b111).count_ones() >= 2 && set & 0b111_000 != 0;
        let outcome = policy.evaluate(&note).unwrap();
        let evidence = match outcome {
            PolicyOutcome::Satisfied(evidence) => {
                assert!(is_expected, "{set:06b}");
                evidence
            }
            PolicyOutcome::QuorumNotMet(evidence) => {
                assert!(!is_expected, "{set:06b}");
                evidence
            }
        };
        assert_eq!(evidence.witnesses().len(), set.count_ones() as usize);
        assert_eq!(evidence.checkpoint().checkpoint().size(), log.size());
    }
}

#[test]
fn no_witnesses_and_one_witness() {
    let log = TestLog::new(ORIGIN, 7);
    let witness = TestSigner::witness("w", 2);
    let note = log.checkpoint();
    let none = format!("log {}\nquorum none", log.signer.key);
    let policy: TlogPolicy = none.parse().unwrap();
    assert!(matches!(
        policy.evaluate(&note),
        Ok(PolicyOutcome::Satisfied(_))
    ));

    let one = format!(
        "witness w {}\nquorum w\nlog {}",
        witness.key, log.signer.key
    );
    let policy: TlogPolicy = one.parse().unwrap();
    assert!(matches!(
        policy.evaluate(&note),
        Ok(PolicyOutcome::QuorumNotMet(_))
    ));
    let mut cosigned = note.clone();
    cosigned.add_signature(witness.cosign(&note, 1)).unwrap();
    cosigned.add_signature(witness.cosign(&note, 2)).unwrap();
    assert!(matches!(
        policy.evaluate(&cosigned),
        Ok(PolicyOutcome::Satisfied(_))
    ));
}

#[test]
fn the_log_must_have_signed() {
    let log = TestLog::new(ORIGIN, 7);
    let stranger = TestSigner::log(ORIGIN, 9);
    let policy: TlogPolicy = format!("log {}\nquorum none", stranger.key)
        .parse()
        .unwrap();
    let note = log.checkpoint();
    let unknown = Err(CheckpointError::Note(NoteVerifyError::NoKnownKey));
    assert_eq!(policy.evaluate(&note), unknown);
    // A policy without logs needs them from elsewhere.
    let policy: TlogPolicy = "quorum none\n".parse().unwrap();
    assert_eq!(policy.evaluate(&note), unknown);
    let known = [log.signer.key.clone()];
    assert!(matches!(
        policy.evaluate_with_logs(&note, &known),
        Ok(PolicyOutcome::Satisfied(_))
    ));
}

#[test]
fn one_bad_cosignature_of_a_known_witness_rejects_the_checkpoint() {
    let log = TestLog::new(ORIGIN, 7);
    let witness = TestSigner::witness("w", 2);
    let policy = format!(
        "log {}\nwitness w {}\nquorum none",
        log.signer.key, witness.key
    );
    let policy: TlogPolicy = policy.parse().unwrap();
    let mut note = log.checkpoint();
    let elsewhere = TestLog::new(ORIGIN, 8).checkpoint();
    note.add_signature(witness.cosign(&elsewhere, 1)).unwrap();
    assert!(matches!(
        policy.evaluate(&note),
        Err(CheckpointError::Note(NoteVerifyError::BadSignature { .. }))
    ));
}

#[cfg(not(feature = "ml-dsa"))]
#[test]
fn keys_that_cannot_be_checked_are_listed_and_never_count() {
    let log = TestLog::new(ORIGIN, 7);
    let name = countersign_note::KeyName::parse("pq.example").unwrap();
    let witness =
        countersign_note::VerifierKey::new(name, SignatureType::MlDsa44, &[7; 1312]).unwrap();
    let policy = format!("log {}\nwitness w {witness}\nquorum w", log.signer.key);
    let policy: TlogPolicy = policy.parse().unwrap();
    assert_eq!(policy.unsupported_keys().collect::<Vec<_>>(), [&witness]);
    let mut note = log.checkpoint();
    let line =
        countersign_note::NoteSignature::new(witness.name().clone(), witness.id(), vec![1; 2428]);
    note.add_signature(line.unwrap()).unwrap();
    assert!(matches!(
        policy.evaluate(&note),
        Ok(PolicyOutcome::QuorumNotMet(_))
    ));
}

/// `L`, `W`, `V` stand for keys: of a log and of two witnesses.
fn problem(policy: &str) -> (usize, String) {
    let keys = [
        ("L", TestSigner::log("log", 1)),
        ("W", TestSigner::witness("w", 2)),
        ("V", TestSigner::witness("v", 3)),
        // The key of W under another name.
        ("U", TestSigner::witness("u", 2)),
    ];
    let replace = |word: &str| {
        let found = keys.iter().find(|(short, _)| *short == word);
        found.map_or(word.to_owned(), |(_, signer)| signer.key.to_string())
    };
    let lines: Vec<String> = policy
        .split('\n')
        .map(|line| line.split(' ').map(replace).collect::<Vec<_>>().join(" "))
        .collect();
    match TlogPolicy::parse(lines.join("\n").as_bytes()) {
        Ok(_) => (0, String::new()),
        Err(PolicyError::Line { line, problem }) => (line, problem.to_string()),
        Err(error) => (usize::MAX, error.to_string()),
    }
}

#[test]
fn errors_name_the_line_and_what_is_wrong() {
    let cases: [(&str, usize, &str); 37] = [
        ("", usize::MAX, "no `quorum` line"),
        ("log L\n", usize::MAX, "no `quorum` line"),
        ("quorum none\nquorum none", 2, "more than one `quorum`"),
        ("quorum", 1, "expected `quorum <name|none>`"),
        ("quorum a b", 1, "expected `quorum <name|none>`"),
        ("quorum w", 1, "no witness or group named `w`"),
        ("quorum w\nwitness w W", 1, "no witness or group named `w`"),
        ("quorum NONE", 1, "no witness or group named `NONE`"),
        ("policy x", 1, "`policy` is not one of"),
        ("Log L", 1, "`Log` is not one of"),
        ("log", 1, "expected `log <vkey> [<url>]`"),
        ("log L a b", 1, "expected `log <vkey> [<url>]`"),
        ("log x", 1, "`x` is not a verifier key"),
        ("log W", 1, "a log cannot have a key of type 0x04"),
        ("\n\nlog L\nlog L", 4, "on line 3 already"),
        ("witness w", 1, "expected `witness <name> <vkey> [<url>]`"),
        ("witness w W a b", 1, "expected `witness"),
        ("witness w L", 1, "a witness cannot have a key of type 0x01"),
        (
            "witness w x+00000000++wAA",
            1,
            "a witness cannot have a key of type 0xfb",
        ),
        ("witness w W\nwitness v W", 2, "on line 1 already"),
        // The same key under another name and id is still the same key.
        ("witness w W\nwitness v U", 2, "on line 1 already"),
        ("witness w W\nwitness w V", 2, "the name `w` is taken"),
        ("witness none W", 1, "the name `none` is taken"),
        (
            "witness w W\ngroup none any w",
            2,
            "the name `none` is taken",
        ),
        ("witness w W\ngroup w any w", 2, "the name `w` is taken"),
        ("group g", 1, "expected `group"),
        ("group g any", 1, "expected `group"),
        ("group g any none", 1, "no witness or group named `none`"),
        ("group g any g", 1, "no witness or group named `g`"),
        ("witness w W\ngroup g 0 w", 2, "`0` is not"),
        (
            "witness w W\ngroup g 2 w",
            2,
            "`2` is not `all`, `any` or a number from 1 to 1",
        ),
        ("witness w W\ngroup g 01 w", 2, "`01` is not"),
        ("witness w W\ngroup g +1 w", 2, "`+1` is not"),
        ("witness w W\ngroup g ALL w", 2, "`ALL` is not"),
        (
            "witness w W\ngroup g any w w",
            2,
            "`w` is a member of a group already",
        ),
        (
            "witness w W\ngroup g any w\ngroup h any w",
            3,
            "`w` is a member of a group already",
        ),
        ("log L\r\nquorum none", 1, "control character 0x0d"),
    ];
    for (policy, line, text) in cases {
        let (got_line, got) = problem(policy);
        assert_eq!(got_line, line, "{policy:?}: {got}");
        assert!(got.contains(text), "{policy:?}: {got}");
    }
    for accepted in [
        "quorum none",
        "#\n# log\nquorum none #",
        "log L\nquorum none\nwitness w W\nwitness v V\ngroup g all w v\n",
        "witness w W\ngroup g 1 w\nquorum w\n",
    ] {
        // A comment begins a line, it does not end one.
        let expected = if accepted.ends_with(" #") { 3 } else { 0 };
        assert_eq!(problem(accepted).0, expected, "{accepted:?}");
    }
}

#[test]
fn bytes_are_opaque() {
    let key = TestSigner::witness("w", 2).key.to_string();
    let policy = [
        b"# \xff\xfe\nwitness \xff ",
        key.as_bytes(),
        b" \x80\nquorum \xff\n",
    ]
    .concat();
    let policy = TlogPolicy::parse(&policy).unwrap();
    assert_eq!(policy.witnesses()[0].name().as_bytes(), b"\xff");
    assert_eq!(policy.witnesses()[0].url().unwrap().as_bytes(), b"\x80");
    // A no-break space and a Kelvin sign are ordinary bytes of a name.
    let text = format!("witness a\u{a0}\u{212a} {key}\nquorum a\u{a0}K");
    let refused = TlogPolicy::parse(text.as_bytes());
    assert!(matches!(
        refused,
        Err(PolicyError::Line {
            line: 2,
            problem: LineProblem::UnknownName { .. }
        })
    ));
    for byte in [0x00, 0x0b, 0x0c, 0x1f, 0x7f] {
        let refused = TlogPolicy::parse(&[b'#', byte]);
        let problem = LineProblem::ControlCharacter { byte };
        assert_eq!(refused, Err(PolicyError::Line { line: 1, problem }));
    }
}

#[test]
fn limits() {
    let long = vec![b'#'; (1 << 20) + 1];
    assert_eq!(
        TlogPolicy::parse(&long),
        Err(PolicyError::TooLong { got: long.len() })
    );
    let many = |count: u16| {
        let line = |n: u16| {
            let seed = std::array::from_fn(|at| n.to_be_bytes()[at % 2]);
            let signer = TestSigner::new("w", SignatureType::CosignatureV1, seed);
            format!("witness w{n} {}\ngroup g{n} any w{n}\n", signer.key)
        };
        let lines: String = (0..count).map(line).collect();
        TlogPolicy::parse(format!("{lines}quorum none").as_bytes())
    };
    assert_eq!(many(256).unwrap().witnesses().len(), 256);
    assert!(matches!(
        many(257),
        Err(PolicyError::Line {
            problem: LineProblem::TooMany { what: "witnesses" },
            ..
        })
    ));
}
