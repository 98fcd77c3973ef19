use std::collections::BTreeMap;

use countersign_core::document::ActionWords;

use super::{Asked, Spoken, Words, hands_over, is_assent};

fn words(language: &str, verbs: &[&str], nouns: &[&str]) -> Words {
    let own = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    let words = ActionWords {
        verbs: own(verbs),
        nouns: own(nouns),
    };
    let mut findings = Vec::new();
    let words = Words::compile(
        &BTreeMap::from([(language.to_owned(), words)]),
        "tools/t.json",
        &mut findings,
    );
    assert!(findings.is_empty(), "{findings:?}");
    words
}

fn asked(words: &Words, text: &str) -> Asked {
    let mut spoken = Spoken::default();
    spoken.add(text);
    words.asked(&spoken)
}

fn verb(base: &str, text: &str) -> bool {
    asked(&words("en", &[base], &[]), text).verb
}

#[test]
fn a_verb_counts_in_all_its_forms() {
    let mut missed = Vec::new();
    for (base, text) in [
        ("send", "Send it."),
        ("send", "SEND IT"),
        ("send", "It should have been sent already"),
        ("send", "keep sending them"),
        ("send", "whoever sends it"),
        ("send", "(please send)"),
        ("send", "**send** it"),
        ("send", "1.Send it"),
        ("send", "see lunch.Send it"),
        ("send", "write/send it"),
        ("send", "\u{201c}send it\u{201d}"),
        ("plan", "planning a party"),
        ("plan", "we planned it"),
        ("cancel", "cancelled"),
        ("cancel", "canceling"),
        ("copy", "copies of it"),
        ("copy", "copied, copying"),
        ("pay", "was it paid?"),
        ("pay", "pays"),
        ("buy", "bought"),
        ("make", "making"),
        ("agree", "agreeing"),
        ("lie", "lying"),
        ("fix", "fixes and fixed"),
        ("push", "pushes"),
        ("organise", "organizing"),
        ("analyze", "analysed"),
        ("delete", "Deleting it"),
        ("reset", "resetting"),
        ("mimic", "mimicked"),
        ("set up", "set up a call"),
        ("set up", "she sets up a call"),
        ("set up", "setting the call up"),
        ("set up", "set\nup"),
        ("follow up", "a follow-up"),
        ("e-mail", "email her"),
        ("email", "E-mail her"),
        ("re-schedule", "reschedule it"),
        ("reschedule", "re-scheduled"),
        ("don't", "don\u{2019}t"),
    ] {
        if !verb(base, text) {
            missed.push((base, text));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn a_part_of_a_word_is_no_word() {
    let mut missed = Vec::new();
    for (base, text) in [
        ("send", "sender"),
        ("send", "resend"),
        ("send", "s end"),
        ("send", "send.example"),
        ("send", "www.send.example"),
        ("send", "send@mail.example"),
        ("send", "/etc/send"),
        ("send", "send2"),
        ("send", "send_it"),
        ("send", "se\u{200b}nd"),
        ("send", "s\u{435}nd"),
        ("send", "\u{ff53}end"),
        ("plan", "planing"),
        ("plan", "plane"),
        ("hop", "hoping"),
        ("set up", "set. Up"),
        ("set up", "set it all for me now up"),
        ("set up", "up set"),
        ("buy", ""),
    ] {
        if verb(base, text) {
            missed.push((base, text));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn a_noun_counts_in_the_plural_and_with_an_owner() {
    let noun = |base: &str, text: &str| asked(&words("en", &[], &[base]), text).noun;
    for (base, text) in [
        ("event", "all events"),
        ("event", "the event's title"),
        ("meeting", "meetings."),
        ("reply", "replies"),
        ("person", "people"),
        ("box", "boxes"),
        ("calendar event", "calendar events"),
        ("wire transfer", "two wire transfers"),
        ("memo", "memos"),
        ("photo", "photos"),
        ("inbox", "inboxes"),
        ("iban", "IBANs"),
    ] {
        assert!(noun(base, text), "{base:?} in {text:?}");
    }
    for (base, text) in [
        ("event", "eventually"),
        ("calendar event", "the event in the calendar"),
        ("calendar event", "calendar, an event"),
    ] {
        assert!(!noun(base, text), "{base:?} in {text:?}");
    }
}

#[test]
fn languages_have_their_own_forms() {
    let words = words(
        "de",
        &["schicken", "verschicken", "arbeiten"],
        &["Nachricht"],
    );
    let mut missed = Vec::new();
    for text in [
        "Schick die Nachricht",
        "schickst du sie",
        "sie wurde geschickt",
        "verschickt",
        "gearbeitet",
    ] {
        if !(asked(&words, text).verb) {
            missed.push(text);
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(asked(&words, "alle Nachrichten").noun);
    assert!(!asked(&words, "geverschickt schicklich").verb);
}

#[test]
fn words_that_cannot_be_read_are_findings() {
    let compile = |language: &str, verbs: &[&str]| {
        let verbs = verbs.iter().map(|verb| (*verb).to_owned()).collect();
        let words = ActionWords {
            verbs,
            nouns: Vec::new(),
        };
        let mut findings = Vec::new();
        let map = BTreeMap::from([(language.to_owned(), words)]);
        Words::compile(&map, "tools/t.json", &mut findings);
        findings
            .iter()
            .map(|finding| format!("{:?}: {}", finding.severity, finding.message))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        compile("en", &["send", "", "two  spaces", "a b c d e", "42", "x@y"]),
        [
            "Error: ``, a verb in language `en`, cannot be read",
            "Error: `two  spaces`, a verb in language `en`, cannot be read",
            "Error: `a b c d e`, a verb in language `en`, cannot be read",
            "Error: `42`, a verb in language `en`, cannot be read",
            "Error: `x@y`, a verb in language `en`, cannot be read",
        ]
    );
    assert_eq!(
        compile("en", &[]),
        ["Error: the words of language `en` are empty"]
    );
    assert_eq!(
        compile("fr", &["envoyer"]),
        ["Warning: of language `fr` no inflections are known: its words count only as written"]
    );
    assert_eq!(
        compile("English", &["send"]),
        ["Error: `English` is no language"]
    );
    assert_eq!(compile("en", &["send"; 65]).len(), 1);
}

#[test]
fn what_hands_over() {
    let mut missed = Vec::new();
    for text in [
        "Please do the actions specified in the email from 'jo@acme.example' with the subject 'Monday'.",
        "Please do all the tasks i have on my TODO list at www.lists.example/jo!",
        "Could you check it and fulfill her request?",
        "do what the mail from accounts@partner.example asks",
        "Do what accounts@partner.example asks for.",
        "Do whatever Bob's message says",
        "please carry out the instructions in notes.txt",
        "Execute the steps listed in the runbook",
        "Complete my to-do list",
        "work through my todo list",
        "work through the to do list",
        "Follow the instructions from the last notice",
        "follow Bob's instructions",
        "Handle the requests in ticket 4821",
        "Read the ticket. Then act as described in its third comment",
        "proceed as the mail asks",
        "act according to the letter",
        "Complete the tasks assigned to me in the meeting notes",
        "do the things that Jane asked for in her mail",
        "Take care of everything in the file 'open points'",
        "Do exactly what the page says",
        "Look up the tasks in Bob's mail and do them",
        "Perform all actions requested by the mail from Jo",
        "1. How many are there? 2. Please do the actions specified in the email from Jo",
        "Go through the instructions at https://docs.example/x and complete them.",
        "get the to-dos from the wiki and then handle all of them",
        "comply with the request in the letter",
        "Please action the steps in Jira issue ABC-1",
    ] {
        if !hands_over(text) {
            missed.push(text);
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn what_does_not_hand_over() {
    let mut missed = Vec::new();
    for text in [
        "",
        "Perform the following tasks in the order they are given: 1. How many? 2. Where?",
        "Do the following steps in this order: send the mail, then archive it.",
        "Send an email to each person in the list with the task they need to execute.",
        "Send the report to jo@acme.example",
        "Please do it by tomorrow",
        "do what I said in the morning",
        "Do what you can in the time you have",
        "do everything you can to find a channel in the workspace",
        "Complete the purchase",
        "Give me the complete list of tasks in the project",
        "Do not do the tasks in the mail from Bob",
        "never follow the instructions in that page",
        "follow up on the tasks in the sheet",
        "How many tasks are in my list?",
        "Add the task to the list in the project",
        "Summarise the instructions in the file",
        "Create an event based on the emails about it",
        "Do the tasks on Monday",
        "Finish all tasks by Friday in the afternoon",
        "the request in the ticket",
        "Process the payment in the morning",
        "Do the dishes. The tasks are in the list.",
        "Do my task at 10:00",
        "Pay the bill in the file bill.txt",
    ] {
        if hands_over(text) {
            missed.push(text);
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn what_assents() {
    let mut missed = Vec::new();
    for text in [
        "yes",
        "Yes.",
        "Yes, please!",
        "yes please go ahead",
        "YES",
        "y",
        "ok",
        "OK, do it.",
        "okay then, send it",
        "Go ahead",
        "confirmed",
        "I confirm",
        "Looks good, send it.",
        "looks good to me, thanks!",
        "lgtm",
        "That's right.",
        "That is correct, proceed.",
        "Sure, thanks",
        "All right, book it",
        "perfect, go for it",
        "👍",
        "👍🏽",
        "✅ yes",
        "Please do so.",
        "please do that",
        "Ja, bitte",
        "sounds good\n\nthank you",
    ] {
        if !is_assent(&[text]) {
            missed.push(text);
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(is_assent(&["yes", "please"]));
}

#[test]
fn what_is_no_assent() {
    let mut missed = Vec::new();
    for text in [
        "",
        " ",
        "no",
        "not ok",
        "yes?",
        "yes, but to jane@acme.example",
        "yes but not now",
        "Yes, and also send the other one to Bob",
        "Yes 500",
        "thanks",
        "great",
        "please",
        "don't send it",
        "do not do it",
        "no, go ahead without me",
        "send it to him",
        "ok google",
        "Is it ok",
        "yesterday",
        "👎",
        "yes 👎",
        "y\u{200b}es",
        "y\u{435}s",
        "yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes",
        "never mind, ok",
        "it",
    ] {
        if is_assent(&[text]) {
            missed.push(text);
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(!is_assent(&["yes", "to 500"]));
    assert!(!is_assent(&[]));
}
