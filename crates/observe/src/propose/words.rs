//! What a tool's name says of it.

use countersign_core::document::Effect;

/// Verbs of tools that change nothing.
const READS: &[&str] = &[
    "get",
    "list",
    "read",
    "search",
    "find",
    "fetch",
    "lookup",
    "query",
    "show",
    "view",
    "describe",
    "check",
    "count",
    "glob",
    "grep",
    "ls",
    "cat",
    "browse",
    "retrieve",
    "load",
    "inspect",
    "summarize",
    "explain",
    "compare",
    "calculate",
    "analyze",
    "validate",
    "verify",
    "preview",
    "peek",
    "tail",
    "head",
    "stat",
    "status",
    "whoami",
    "ping",
    "look",
    "history",
    "diff",
    "log",
    "open",
    "navigate",
    "scroll",
    "screenshot",
    "think",
    "websearch",
    "webfetch",
    "toolsearch",
    "convert",
    "tree",
];
/// Names of coding assistants' tools that touch nothing but the assistant's own state, or ask the person.
const OWN: &[&str] = &[
    "todowrite",
    "todoread",
    "bashoutput",
    "taskoutput",
    "askuserquestion",
    "enterplanmode",
    "exitplanmode",
];
/// Verbs of tools whose calls cannot be taken back.
const IRREVERSIBLE: &[&str] = &[
    "send",
    "delete",
    "remove",
    "pay",
    "transfer",
    "post",
    "publish",
    "buy",
    "purchase",
    "order",
    "cancel",
    "share",
    "invite",
    "submit",
    "execute",
    "exec",
    "run",
    "bash",
    "shell",
    "deploy",
    "drop",
    "destroy",
    "reply",
    "forward",
    "book",
    "refund",
    "withdraw",
    "approve",
    "push",
    "merge",
    "release",
    "terminate",
    "kill",
    "wire",
    "checkout",
    "sell",
    "donate",
    "grant",
    "revoke",
    "notify",
    "tweet",
    "call",
    "dial",
    "sms",
    "truncate",
    "purge",
    "wipe",
    "erase",
    "reserve",
    "rm",
    "unsubscribe",
    "ban",
    "kick",
    "fire",
    "confirm",
    "powershell",
    "eval",
    "sign",
];
/// Verbs of tools whose calls can be changed back.
const WRITES: &[&str] = &[
    "create",
    "update",
    "add",
    "set",
    "edit",
    "append",
    "insert",
    "write",
    "rename",
    "move",
    "schedule",
    "reschedule",
    "save",
    "upload",
    "mark",
    "assign",
    "change",
    "modify",
    "put",
    "patch",
    "enable",
    "disable",
    "archive",
    "copy",
    "tag",
    "label",
    "close",
    "reopen",
    "comment",
    "draft",
    "star",
    "pin",
    "subscribe",
    "register",
    "start",
    "stop",
    "pause",
    "resume",
    "replace",
    "multiedit",
    "notebookedit",
    "clear",
    "reset",
    "lock",
    "unlock",
    "link",
    "attach",
    "import",
    "sync",
    "apply",
    "commit",
    "mkdir",
    "touch",
    "configure",
    "toggle",
    "fill",
    "click",
    "type",
    "select",
    "log_in",
    "login",
];

/// A tool's name in words.
pub(super) struct Named {
    /// The words, lower-case, without those that only say which server the tool is of.
    words: Vec<String>,
    /// Which of them is the verb, and how far it reaches.
    verb: Option<(usize, Effect)>,
    /// Whether the tool touches nothing but the agent's own state.
    is_own: bool,
}

impl Named {
    pub(super) fn of(name: &str) -> Self {
        // An MCP tool's name begins with its server's: `mcp__mail__send_message`.
        let own = match name.strip_prefix("mcp__") {
            Some(rest) => rest.split_once("__").map_or(rest, |(_, own)| own),
            None => name,
        };
        let words = split(own);
        let effects = [
            (READS, Effect::Read),
            (IRREVERSIBLE, Effect::Irreversible),
            (WRITES, Effect::Write),
        ];
        let known = |word: &str| {
            let known = effects.iter().find(|(verbs, _)| verbs.contains(&word));
            known.map(|(_, effect)| *effect)
        };
        let joined = words.concat();
        let is_own = OWN.contains(&joined.as_str());
        // Names that are one verb without a break between its words: `WebFetch` fetches.
        let whole = match is_own {
            true => Some(Effect::Read),
            false => known(&joined),
        };
        let mut verbs = words.iter().enumerate();
        let verb = verbs.find_map(|(n, word)| {
            let effect = known(word)?;
            whole
                .is_none_or(|whole| whole == effect)
                .then_some((n, effect))
        });
        match (verb, whole) {
            (None, Some(effect)) => Self {
                words: vec![joined],
                verb: Some((0, effect)),
                is_own,
            },
            (verb, _) => Self {
                words,
                verb,
                is_own,
            },
        }
    }

    /// All its words.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    fn verb(&self) -> Option<&str> {
        let (at, _) = self.verb?;
        self.words.get(at).map(String::as_str)
    }

    fn rest(&self) -> impl Iterator<Item = &String> {
        let verb = self.verb.map(|(at, _)| at);
        let words = self.words.iter().enumerate();
        words
            .filter(move |(n, _)| Some(*n) != verb)
            .map(|(_, word)| word)
    }

    /// The words by which a turn may speak of it: at least one.
    pub(super) fn verbs(&self) -> Vec<String> {
        let verb = self.verb().or(self.words.first().map(String::as_str));
        vec![letters(verb.unwrap_or("use"))]
    }

    /// To what it is done.
    pub(super) fn nouns(&self) -> Vec<String> {
        let mut nouns: Vec<String> = Vec::new();
        for word in self.rest().filter(|word| word.len() > 2) {
            let word = letters(word);
            if !nouns.contains(&word) && !self.verbs().contains(&word) {
                nouns.push(word);
            }
        }
        nouns
    }

    /// The action: `email.send`.
    pub(super) fn action(&self) -> String {
        let fits = |word: &str| -> String {
            word.chars()
                .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
                .take(40)
                .collect()
        };
        let rest: Vec<String> = self
            .rest()
            .take(3)
            .map(|word| fits(word))
            .filter(|word| !word.is_empty())
            .collect();
        let noun = match rest.join("_") {
            noun if noun.is_empty() || noun == "countersign" => "tool".to_owned(),
            noun => noun,
        };
        match self.verb().map(fits) {
            Some(verb) if !verb.is_empty() => format!("{noun}.{verb}"),
            _ => format!("{noun}.use"),
        }
    }
}

/// The letters of a word: what a turn could hold.
fn letters(word: &str) -> String {
    let letters: String = word.chars().filter(|c| c.is_alphabetic()).collect();
    match letters.is_empty() {
        true => "use".to_owned(),
        false => letters,
    }
}

/// Words of `send_email`, `send-email`, `gmail.send` and `sendEmail`.
fn split(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for c in name.chars().take(128) {
        let breaks = !c.is_alphanumeric() || (c.is_uppercase() && was_lower);
        if breaks && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// How far the tool reaches, and why that is believed. `fetches`: a URL is among its arguments.
pub(super) fn effect(named: &Named, fetches: bool) -> (Effect, String) {
    match (named.verb, named.verb()) {
        (Some((_, effect)), Some(verb)) if named.is_own => (
            effect,
            format!("guess: `{verb}` touches nothing but the agent's own state"),
        ),
        (Some((_, Effect::Read)), Some(verb)) if fetches => (
            Effect::Write,
            format!(
                "guess: it reads (`{verb}`), but the URL that it fetches can carry something away"
            ),
        ),
        (Some((_, effect)), Some(verb)) => {
            let far = match effect {
                Effect::Read => "only reads",
                Effect::Write => "changes something that can be changed back",
                Effect::Irreversible => "cannot be taken back",
            };
            (effect, format!("guess: `{verb}` {far}"))
        }
        _ => (
            Effect::Irreversible,
            "guess: the name has no verb that is known, so the worst is assumed".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(name: &str) -> (String, Effect) {
        let named = Named::of(name);
        (named.action(), effect(&named, false).0)
    }

    #[test]
    fn names_say_what_tools_do() {
        use Effect::{Irreversible, Read, Write};
        for (name, action, effect) in [
            ("send_email", "email.send", Irreversible),
            ("sendEmail", "email.send", Irreversible),
            ("mcp__mail__delete-message", "message.delete", Irreversible),
            ("gmail.search_threads", "gmail_threads.search", Read),
            ("add_user_to_channel", "user_to_channel.add", Write),
            ("get_payment_status", "payment_status.get", Read),
            ("Bash", "tool.bash", Irreversible),
            ("TodoWrite", "tool.todowrite", Read),
            ("BashOutput", "tool.bashoutput", Read),
            ("WebFetch", "web.fetch", Read),
            ("WebSearch", "web.search", Read),
            ("NotebookEdit", "notebook.edit", Write),
            ("frobnicate", "frobnicate.use", Irreversible),
            ("countersign", "tool.use", Irreversible),
            ("日本", "tool.use", Irreversible),
            ("", "tool.use", Irreversible),
        ] {
            assert_eq!(guessed(name), (action.to_owned(), effect), "{name}");
        }
    }
}
