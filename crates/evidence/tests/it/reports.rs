//! What the report says, and what it does with text that was made to hurt.

use countersign_core::document::{Document as _, Intent, Reasoning};
use countersign_core::entry::{Body, Erasure, ErasurePhase, Hold, HoldChange, Links, VaultAccess};
use countersign_core::refs::Sha256;
use countersign_evidence::{Files, Question, check};
use countersign_story::log;
use countersign_story::story::{Story, credential, story};
use countersign_verify::Word;

use crate::support::{folder, folder_with, push, text};

const QUESTIONS: [&str; 4] = [
    "1. Who asked for it, in which words?",
    "2. Which rules judged it, and did they really say so?",
    "3. Was it this call, these exact arguments, and did it run once?",
    "4. Is this the whole record?",
];

fn of_flag(story: &Story) -> Question {
    Question::Entry(story.id("flag"))
}

#[test]
fn a_report_says_what_happened_and_answers_four_questions() {
    let story = story();
    let (files, _) = folder(&story, &of_flag(&story));
    for name in ["report.html", "report.md"] {
        let report = text(&files, name);
        for question in QUESTIONS {
            assert!(report.contains(question), "{question} in {name}");
        }
        for said in [
            "Many rejected calls in a short time: agent:support-v3",
            "4 calls: 4 stopped, 0 passed",
            "The rules held throughout",
            "no-churned-contacts",
            "unanchored",
            "sealed",
            "vault-reader",
        ] {
            assert!(report.contains(said), "`{said}` in {name}:\n{report}");
        }
    }
    let page = text(&files, "report.html");
    assert!(page.contains("default-src 'none'"));
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    // Nothing of the plaintext is there.
    for bytes in files.values() {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("billing@customer.example"));
        assert!(!text.contains("the ticket asks for it"));
    }
}

#[test]
fn opened_records_stand_in_the_report_by_whose_words_they_are() {
    let story = story();
    let (files, _) = folder_with(&story, &of_flag(&story), log::trust(), |_| true);
    for name in ["report.html", "report.md"] {
        let report = text(&files, name);
        for said in [
            "The principal's own words"
                .replace('\'', if name == "report.html" { "&#39;" } else { "'" }),
            "Send billing@customer.example the refund confirmation".to_owned(),
            "the ticket asks for it".to_owned(),
            "incident 17".to_owned(),
        ] {
            assert!(report.contains(&said), "`{said}` in {name}");
        }
    }
}

const HOSTILE: &str = "</blockquote><script>alert(1)</script><img src=x onerror=alert(2)>\n\
    ```\n# a heading\n[a](javascript:alert(3)) <b>x</b> | y\n````\n\
    a\u{202e}b\u{0}c\u{1b}[2Jd\u{200b}e\u{2066}f https://evil.example/ & \"quoted\" 'single' `code`";

/// The story with hostile text in the turn, the reasoning and what was stated.
fn hostile() -> Story {
    let mut story = story();
    let turn = story
        .documents
        .values()
        .find_map(|bytes| Intent::from_canonical(bytes).ok())
        .unwrap();
    let old = Sha256::from(turn.reference().unwrap());
    let mut turn = turn;
    turn.parts[0].text = HOSTILE.to_owned();
    let new = Sha256::from(turn.reference().unwrap());
    story
        .documents
        .insert(new, turn.canonical().unwrap().into_bytes());
    let reasoning = story
        .documents
        .values()
        .find_map(|bytes| Reasoning::from_canonical(bytes).ok());
    let reasoning = Reasoning {
        text: HOSTILE.to_owned(),
        ..reasoning.unwrap()
    };
    let reasoning_ref = reasoning.reference().unwrap();
    story.documents.insert(
        reasoning_ref.into(),
        reasoning.canonical().unwrap().into_bytes(),
    );
    for (_, entry) in &mut story.entries {
        match &mut entry.body {
            Body::Intent(body) if Sha256::from(body.intent_ref) == old => {
                body.intent_ref = new.into();
            }
            Body::Decision(body) => {
                if body.intent_ref.map(Sha256::from) == Some(old) {
                    body.intent_ref = Some(new.into());
                }
                body.reasoning_ref = body.reasoning_ref.map(|_| reasoning_ref);
            }
            Body::Flag(body) => body.intent_ref = Some(new.into()),
            _ => {}
        }
    }
    story
}

#[test]
fn text_that_was_made_to_hurt_stays_text() {
    let story = hostile();
    let (files, _) = folder_with(&story, &of_flag(&story), log::trust(), |_| true);
    let page = text(&files, "report.html");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for markup in [
        "<script",
        "<img",
        "<b>x",
        "</blockquote><",
        "javascript:alert(3))<",
    ] {
        assert!(!page.contains(markup), "{markup}");
    }
    let report = text(&files, "report.md");
    for (name, text) in [("report.html", &page), ("report.md", &report)] {
        let unsafe_ones = text
            .chars()
            .filter(|it| it.is_control() && *it != '\n')
            .count();
        assert_eq!(unsafe_ones, 0, "{name}");
        for hidden in ['\u{202e}', '\u{200b}', '\u{2066}', '\u{1b}', '\u{0}'] {
            assert!(!text.contains(hidden), "{hidden:?} in {name}");
        }
        assert!(text.contains("\\u{202e}"), "{name}");
    }
    // In Markdown it stands in a fence that it cannot close.
    assert!(
        report.contains("`````text\n&lt;/block") || report.contains("`````text\n</blockquote>")
    );
    let attributes = attribute_values(&page);
    assert!(
        attributes.iter().all(|it| !it.contains("alert")),
        "{attributes:?}"
    );
}

/// What stands in quotes inside tags.
fn attribute_values(page: &str) -> Vec<String> {
    let tags = page.split('<').filter_map(|rest| rest.split('>').next());
    let values = tags.flat_map(|tag| {
        let parts: Vec<&str> = tag.split('"').collect();
        parts
            .iter()
            .skip(1)
            .step_by(2)
            .map(|it| (*it).to_owned())
            .collect::<Vec<_>>()
    });
    values.collect()
}

/// The story in which every record of the turn and its calls was erased.
fn erased() -> Story {
    let mut story = story();
    let is_authority =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("request of the person");
    let authority = story
        .documents
        .iter()
        .find(|(_, bytes)| is_authority(bytes))
        .map(|(reference, _)| *reference)
        .unwrap();
    let refs: Vec<Sha256> = story
        .entries
        .iter()
        .filter_map(|(_, entry)| match &entry.body {
            Body::Intent(it) => Some(vec![it.intent_ref.into()]),
            Body::Decision(it) => Some(
                [
                    it.call_ref.map(Sha256::from),
                    it.facts_ref.map(Sha256::from),
                    it.reasoning_ref.map(Sha256::from),
                ]
                .into_iter()
                .flatten()
                .collect(),
            ),
            _ => None,
        })
        .flatten()
        .take(60)
        .collect();
    let erasure = Erasure {
        phase: ErasurePhase::Requested,
        refs: refs.clone(),
        authority_ref: authority.into(),
        credential: Some(credential(1)),
        epoch: None,
    };
    push(&mut story, "erased", erasure.clone());
    push(
        &mut story,
        "erased from backups",
        Erasure {
            phase: ErasurePhase::Complete,
            credential: None,
            epoch: Some(1),
            ..erasure
        },
    );
    for reference in &refs {
        story.documents.remove(reference);
    }
    story
}

fn with(files: &Files, part: &str) -> usize {
    let names = files.keys();
    names.filter(|name| name.starts_with(part)).count()
}

#[test]
fn after_an_erasure_the_commitments_stay_and_the_report_says_by_whom_and_when() {
    let story = erased();
    let (files, standing) = folder_with(&story, &of_flag(&story), log::trust(), |_| true);
    assert_eq!(standing.word, Word::Unanchored, "{standing:?}");
    let note = countersign_note::Note::parse(&files["checkpoint"]).unwrap();
    let checked = check(&files, &log::trust().holding(note), true);
    assert_eq!(checked.standing.word, Word::Trusted, "{checked:?}");
    for name in ["report.html", "report.md"] {
        let report = text(&files, name);
        for said in [
            "Content was erased.",
            "The live key to it was destroyed on ",
            "no backup opens it either since ",
            "01HYA000000000000000000001 (admin)",
            "by the server, as the rules in force say",
            "request of the person",
            "What is left is the commitment ",
        ] {
            assert!(report.contains(said), "`{said}` in {name}");
        }
        assert!(!report.contains("refund confirmation"), "{name}");
    }
    let records = text(&files, "records.json");
    assert!(records.contains("\"state\": \"erased\""));
    // The same entries are there, and those of the erasure.
    let before = folder(&countersign_story::story::story(), &of_flag(&story)).0;
    assert_eq!(with(&files, "entries/"), with(&before, "entries/") + 2);
}

#[test]
fn openings_and_holds_of_its_records_are_in_the_folder() {
    let mut story = story();
    let (call, purpose, authority) = {
        let Body::Decision(decision) = &story.entries[story.position("rejected 2")].1.body else {
            panic!("a decision");
        };
        let stated = |text: &str| {
            let found = story
                .documents
                .iter()
                .find(|(_, bytes)| String::from_utf8_lossy(bytes).contains(text));
            *found.unwrap().0
        };
        (
            Sha256::from(decision.call_ref.unwrap()),
            stated("incident 17"),
            stated("request of the person"),
        )
    };
    let access = VaultAccess {
        refs: vec![call],
        purpose_ref: purpose.into(),
        credential: credential(7),
        phase: None,
        request: None,
    };
    push(&mut story, "opened", access);
    let hold = Hold {
        change: HoldChange::Placed,
        links: Links::default(),
        refs: vec![call],
        authority_ref: authority.into(),
        credential: credential(1),
    };
    let placed = push(&mut story, "held", hold.clone());
    let lifted = Hold {
        change: HoldChange::Lifted,
        links: Links {
            hold: Some(placed),
            ..Links::default()
        },
        ..hold
    };
    push(&mut story, "released", lifted);
    let (files, _) = folder(&story, &of_flag(&story));
    let report = text(&files, "report.md");
    for said in [
        "opened",
        "put under a legal hold",
        "released from a legal hold",
        "01HYA000000000000000000007",
        "1 call",
    ] {
        assert!(report.contains(said), "`{said}`:\n{report}");
    }
}
