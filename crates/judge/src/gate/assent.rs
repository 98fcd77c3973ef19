//! Whether somebody's words as a whole are a short assent: "yes, please", "looks good, send it".
//!
//! Every word must belong to it. A question, a "but", a number or a name makes it something else.

use super::spoken::{Word, words};

/// Most words of an assent.
const WORDS: usize = 16;
/// Most bytes of a text that can be one.
const BYTES: usize = 256;

/// What assents by itself, by language: English, German.
const ASSENTS: [&[&str]; 60] = [
    &["yes"],
    &["yes", "i", "do"],
    &["yes", "you", "may"],
    &["yep"],
    &["yeah"],
    &["yup"],
    &["aye"],
    &["y"],
    &["sure"],
    &["sure", "thing"],
    &["ok"],
    &["okay"],
    &["alright"],
    &["all", "right"],
    &["all", "good"],
    &["fine"],
    &["fine", "by", "me"],
    &["fine", "with", "me"],
    &["right"],
    &["correct"],
    &["exactly"],
    &["indeed"],
    &["absolutely"],
    &["definitely"],
    &["certainly"],
    &["of", "course"],
    &["confirm"],
    &["confirmed"],
    &["approve"],
    &["approved"],
    &["agree"],
    &["agreed"],
    &["granted"],
    &["proceed"],
    &["continue"],
    &["carry", "on"],
    &["go", "ahead"],
    &["go", "on"],
    &["go", "for", "it"],
    &["make", "it", "so"],
    &["lgtm"],
    &["please", "do"],
    &["do", "so"],
    &["looks", "good"],
    &["looks", "right"],
    &["looks", "correct"],
    &["looks", "fine"],
    &["looks", "great"],
    &["sounds", "good"],
    &["sounds", "great"],
    &["is", "right"],
    &["is", "correct"],
    &["is", "fine"],
    &["works", "for", "me"],
    &["ja"],
    &["jawohl"],
    &["genau"],
    &["einverstanden"],
    &["bestätigt"],
    &["in", "ordnung"],
];

/// What may stand beside an assent, and is none.
const BESIDE: [&[&str]; 30] = [
    &["please"],
    &["pls"],
    &["thanks"],
    &["thank", "you"],
    &["thx"],
    &["great"],
    &["good"],
    &["perfect"],
    &["excellent"],
    &["cool"],
    &["nice"],
    &["and"],
    &["then"],
    &["now"],
    &["so"],
    &["just"],
    &["well"],
    &["it"],
    &["that"],
    &["that", "all"],
    &["this"],
    &["all"],
    &["i"],
    &["to", "me"],
    &["with", "it"],
    &["with", "that"],
    &["bitte"],
    &["danke"],
    &["gut"],
    &["gerne"],
];

/// What is done to `it`, `that` or `them` at somebody's word: "book it".
const DO_IT: [&str; 35] = [
    "accept", "add", "apply", "book", "buy", "cancel", "create", "delete", "deploy", "do",
    "execute", "file", "finish", "forward", "make", "merge", "move", "order", "pay", "place",
    "post", "publish", "remove", "rename", "reply", "run", "save", "schedule", "send", "share",
    "ship", "sign", "submit", "transfer", "upload",
];

/// Whether the texts together are an assent and nothing else.
pub(crate) fn is_assent(texts: &[&str]) -> bool {
    if texts.iter().map(|text| text.len()).sum::<usize>() > BYTES {
        return false;
    }
    let mut said: Vec<String> = Vec::new();
    let mut thumb = false;
    for text in texts {
        let plain: String = text.chars().filter(|c| !is_thumb(*c, &mut thumb)).collect();
        for word in words(&plain) {
            match word {
                Word::Said(word) if word.owns => {
                    said.extend(word.parts);
                    said.push("is".to_owned());
                }
                Word::Said(word) => said.extend(word.parts),
                Word::Other(_) | Word::Stop('?') => return false,
                Word::Stop(_) => {}
            }
        }
        if plain.contains('?') {
            return false;
        }
    }
    said.len() <= WORDS && assents(&said, thumb)
}

fn is_thumb(c: char, seen: &mut bool) -> bool {
    let is = matches!(c, '👍' | '✅' | '👌' | '🏻'..='🏿' | '\u{fe0f}');
    *seen |= matches!(c, '👍' | '✅' | '👌');
    is
}

fn assents(said: &[String], thumb: bool) -> bool {
    let mut rest = said;
    let mut any = thumb;
    while !rest.is_empty() {
        let assent = longest(rest, &ASSENTS).max(done(rest));
        let beside = longest(rest, &BESIDE);
        any |= assent > 0;
        match rest.get(assent.max(beside).max(1)..) {
            Some(next) if assent.max(beside) > 0 => rest = next,
            _ => return false,
        }
    }
    any
}

fn longest(rest: &[String], phrases: &[&[&str]]) -> usize {
    phrases
        .iter()
        .filter(|phrase| phrase.len() <= rest.len() && phrase.iter().zip(rest).all(|(a, b)| a == b))
        .map(|phrase| phrase.len())
        .max()
        .unwrap_or(0)
}

fn done(rest: &[String]) -> usize {
    match rest {
        [verb, object, ..]
            if DO_IT.contains(&verb.as_str())
                && matches!(object.as_str(), "it" | "that" | "them" | "this") =>
        {
            2
        }
        _ => 0,
    }
}
