//! English inflection by rule, with the irregular words that people use of actions.

use std::collections::BTreeSet;

/// What the rules do not make of a verb: past and participle. Most people say some of them by the
/// rules, too (`learned`), so the rules' forms always count.
const VERBS: [(&str, &[&str]); 92] = [
    ("be", &["is", "are", "am", "was", "were", "been"]),
    ("bear", &["bore", "borne"]),
    ("beat", &["beaten"]),
    ("become", &["became"]),
    ("begin", &["began", "begun"]),
    ("bend", &["bent"]),
    ("bind", &["bound"]),
    ("bite", &["bit", "bitten"]),
    ("blow", &["blew", "blown"]),
    ("break", &["broke", "broken"]),
    ("bring", &["brought"]),
    ("build", &["built"]),
    ("burn", &["burnt"]),
    ("buy", &["bought"]),
    ("catch", &["caught"]),
    ("choose", &["chose", "chosen"]),
    ("come", &["came"]),
    ("deal", &["dealt"]),
    ("dig", &["dug"]),
    ("do", &["did", "done", "does"]),
    ("draw", &["drew", "drawn"]),
    ("drive", &["drove", "driven"]),
    ("eat", &["ate", "eaten"]),
    ("fall", &["fell", "fallen"]),
    ("feed", &["fed"]),
    ("fight", &["fought"]),
    ("find", &["found"]),
    ("fly", &["flew", "flown"]),
    ("forbid", &["forbade", "forbidden"]),
    ("forget", &["forgot", "forgotten"]),
    ("forgive", &["forgave", "forgiven"]),
    ("freeze", &["froze", "frozen"]),
    ("get", &["got", "gotten"]),
    ("give", &["gave", "given"]),
    ("go", &["went", "gone"]),
    ("grow", &["grew", "grown"]),
    ("hang", &["hung"]),
    ("have", &["had", "has"]),
    ("hear", &["heard"]),
    ("hide", &["hid", "hidden"]),
    ("hold", &["held"]),
    ("keep", &["kept"]),
    ("know", &["knew", "known"]),
    ("lay", &["laid"]),
    ("lead", &["led"]),
    ("learn", &["learnt"]),
    ("leave", &["left"]),
    ("lend", &["lent"]),
    ("lie", &["lay", "lain"]),
    ("light", &["lit"]),
    ("lose", &["lost"]),
    ("make", &["made"]),
    ("mean", &["meant"]),
    ("meet", &["met"]),
    ("overwrite", &["overwrote", "overwritten"]),
    ("pay", &["paid"]),
    ("rebuild", &["rebuilt"]),
    ("repay", &["repaid"]),
    ("resend", &["resent"]),
    ("rewrite", &["rewrote", "rewritten"]),
    ("ride", &["rode", "ridden"]),
    ("ring", &["rang", "rung"]),
    ("rise", &["rose", "risen"]),
    ("run", &["ran"]),
    ("say", &["said"]),
    ("see", &["saw", "seen"]),
    ("seek", &["sought"]),
    ("sell", &["sold"]),
    ("send", &["sent"]),
    ("shake", &["shook", "shaken"]),
    ("show", &["shown"]),
    ("sing", &["sang", "sung"]),
    ("sit", &["sat"]),
    ("sleep", &["slept"]),
    ("speak", &["spoke", "spoken"]),
    ("spend", &["spent"]),
    ("stand", &["stood"]),
    ("steal", &["stole", "stolen"]),
    ("stick", &["stuck"]),
    ("strike", &["struck"]),
    ("swear", &["swore", "sworn"]),
    ("take", &["took", "taken"]),
    ("teach", &["taught"]),
    ("tear", &["tore", "torn"]),
    ("tell", &["told"]),
    ("think", &["thought"]),
    ("throw", &["threw", "thrown"]),
    ("understand", &["understood"]),
    ("wake", &["woke", "woken"]),
    ("wear", &["wore", "worn"]),
    ("win", &["won"]),
    ("write", &["wrote", "written"]),
];

/// Plurals that the rules do not make.
const NOUNS: [(&str, &[&str]); 24] = [
    ("analysis", &["analyses"]),
    ("appendix", &["appendices"]),
    ("basis", &["bases"]),
    ("child", &["children"]),
    ("criterion", &["criteria"]),
    ("datum", &["data"]),
    ("foot", &["feet"]),
    ("goose", &["geese"]),
    ("half", &["halves"]),
    ("index", &["indices"]),
    ("knife", &["knives"]),
    ("leaf", &["leaves"]),
    ("life", &["lives"]),
    ("man", &["men"]),
    ("matrix", &["matrices"]),
    ("medium", &["media"]),
    ("mouse", &["mice"]),
    ("person", &["people"]),
    ("shelf", &["shelves"]),
    ("thesis", &["theses"]),
    ("thief", &["thieves"]),
    ("tooth", &["teeth"]),
    ("wife", &["wives"]),
    ("woman", &["women"]),
];

/// The forms of a verb: `send` has `sends`, `sending`, `sent`.
pub(super) fn verb(base: &str, forms: &mut BTreeSet<String>) {
    for spelling in spellings(base) {
        forms.insert(spelling.clone());
        let listed = VERBS.binary_search_by(|(verb, _)| (*verb).cmp(spelling.as_str()));
        if let Some((_, irregular)) = listed.ok().and_then(|at| VERBS.get(at)) {
            forms.extend(irregular.iter().map(|form| (*form).to_owned()));
        }
        past(&spelling, forms);
        forms.insert(with_s(&spelling));
        ing(&spelling, forms);
    }
}

/// The forms of a noun: `event` has `events`.
pub(super) fn noun(base: &str, forms: &mut BTreeSet<String>) {
    for spelling in spellings(base) {
        forms.insert(with_s(&spelling));
        if let Some((_, plurals)) = NOUNS.iter().find(|(noun, _)| *noun == spelling) {
            forms.extend(plurals.iter().map(|form| (*form).to_owned()));
        }
        forms.insert(spelling);
    }
}

/// British and American: `organise` and `organize`.
fn spellings(base: &str) -> Vec<String> {
    let other = [("ise", "ize"), ("yse", "yze")]
        .iter()
        .find_map(|(british, american)| {
            let swap =
                |from: &str, to: &str| base.strip_suffix(from).map(|stem| format!("{stem}{to}"));
            swap(british, american).or_else(|| swap(american, british))
        })
        .filter(|_| syllables(base) > 2);
    std::iter::once(base.to_owned()).chain(other).collect()
}

fn with_s(base: &str) -> String {
    if let Some(stem) = consonant_y(base) {
        return format!("{stem}ies");
    }
    let hisses = ["s", "x", "z", "ch", "sh"]
        .iter()
        .any(|end| base.ends_with(end));
    // `do` and `go`, `echo` and `veto`; `video` and `photo` do without.
    let o = base.ends_with('o')
        && !["eo", "io", "oo"].iter().any(|end| base.ends_with(end))
        && !matches!(base, "photo" | "memo" | "repo" | "promo" | "demo" | "info");
    if hisses || o {
        format!("{base}es")
    } else {
        format!("{base}s")
    }
}

fn past(base: &str, forms: &mut BTreeSet<String>) {
    if base.ends_with('e') {
        forms.insert(format!("{base}d"));
    } else if let Some(stem) = consonant_y(base) {
        forms.insert(format!("{stem}ied"));
    } else {
        joined(base, "ed", forms);
    }
}

fn ing(base: &str, forms: &mut BTreeSet<String>) {
    if let Some(stem) = base.strip_suffix("ie") {
        forms.insert(format!("{stem}ying"));
    } else if let Some(stem) = base.strip_suffix('e').filter(|stem| {
        !stem.ends_with(['e', 'o', 'y']) && stem.chars().any(is_vowel) && !base.eq("be")
    }) {
        forms.insert(format!("{stem}ing"));
    } else {
        joined(base, "ing", forms);
    }
}

/// The last consonant is doubled after a single vowel: always in a word of one syllable, and in a
/// longer one by where the stress lies, which a spelling does not show, so that both count.
fn joined(base: &str, end: &str, forms: &mut BTreeSet<String>) {
    let mut last = base.chars().rev();
    let doubled = match (last.next(), last.next(), last.next()) {
        (Some('c'), ..) => Some(format!("{base}k{end}")),
        (Some(c), Some(v), before)
            if !is_vowel(c)
                && !matches!(c, 'w' | 'x' | 'y')
                && is_vowel(v)
                && before.is_none_or(|b| !is_vowel(b) || base.ends_with("quit")) =>
        {
            Some(format!("{base}{c}{end}"))
        }
        _ => None,
    };
    if doubled.is_none() || syllables(base) > 1 {
        forms.insert(format!("{base}{end}"));
    }
    forms.extend(doubled);
}

fn consonant_y(base: &str) -> Option<&str> {
    base.strip_suffix('y')
        .filter(|stem| stem.ends_with(|c: char| c.is_alphabetic() && !is_vowel(c)))
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u')
}

/// Groups of vowels.
fn syllables(word: &str) -> usize {
    let mut groups = 0;
    let mut in_group = false;
    for c in word.chars() {
        let vowel = is_vowel(c) || c == 'y';
        groups += usize::from(vowel && !in_group);
        in_group = vowel;
    }
    groups
}
