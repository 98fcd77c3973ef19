//! The rules of a guessed bundle.

use countersign_core::document::{ArgumentRole, Effect, ToolManifest};
use countersign_core::names::ActionName;
use countersign_judge::EXTRACTOR;

/// What the bundle says of itself.
pub(super) const DESCRIPTION: &str = "Guess: made by `countersign observe` from the tools that stood in transcripts. Reading is free; \
writing and what cannot be taken back needs values that the person named or that a system wrote, and is otherwise asked about.";

/// The extractor that knows of labelled fields, of texts and of words.
const WITH_SOURCES: u32 = 2;

const READS: &str = r#"// Guess. Reading changes nothing, so an agent that works for somebody may read.
@id("reads-are-free")
@reason("The call only reads, and a person's turn is behind it.")
permit (
    principal,
    action in Action::"reads",
    resource
)
when { context.intent.live };
"#;

const WRITES: &str = r#"// Guess. Nothing is changed unless somebody asked for something; what else it takes, the rules below say.
@id("somebody-asked")
@reason("A person's turn is behind the call.")
permit (
    principal,
    action in [Action::"writes", Action::"irreversible"],
    resource
)
when { context.intent.live };

// Guess. What the call acts on was named by the person, or stands whole in a field that a system wrote.
@id("asked-unless-grounded")
@reason("The person did not name what the call acts on, and no system did: a person is asked.")
@escalate
forbid (
    principal,
    action in [Action::"writes", Action::"irreversible"],
    resource
)
when { context has target }
unless
{
    context.target.sources.containsAny(["user", "user_earlier", "confirmed", "system_field", "first_party_field"])
};
"#;

const NO_TARGET: &str = r#"
// Guess. A call that acts on nothing that can be traced cannot be held against the person's words.
@id("asked-without-a-target")
@reason("The call names nothing that could be held against the person's words: a person is asked.")
@escalate
forbid (
    principal,
    action in [Action::"writes", Action::"irreversible"],
    resource is Call
);
"#;

const SPOKEN: &str = r#"
// Guess. A call that acts on nothing that can be traced is at least of a kind that the turn speaks of.
@id("asked-unless-spoken-of")
@reason("The turn does not speak of this kind of action, and the call names nothing that could be traced: a person is asked.")
@escalate
forbid (
    principal,
    action in [Action::"writes", Action::"irreversible"],
    resource is Call
)
unless { context.asked.verb };

// Guess. A link, an address or an account in a text leads somewhere, too.
@id("asked-about-links-in-texts")
@reason("A text of the call holds an address, a link or an account that neither the person nor a system named: a person is asked.")
@escalate
forbid (
    principal,
    action in [Action::"writes", Action::"irreversible"],
    resource
)
unless
{
    ["user", "user_earlier", "confirmed", "system_field", "first_party_field"].containsAll(context.text.sources)
};
"#;

const NAMED: &str = "\
// Guess. What a call names beside what it acts on, such as a file that it attaches, was named by the person, too, or stands
// whole in a field that a system wrote.
";

/// What a bundle for listed tools says of itself.
pub(super) const LISTED: &str = "Guess: made by `countersign manifest from-mcp` from what a server lists. Reading needs a turn; \
what changes something needs a turn whose words name what it acts on, and is otherwise put to the person who asked.";

/// The rules of a bundle for tools that a server lists, with their files. A rule that no call could
/// meet is left out.
pub(super) fn listed(tools: &[ToolManifest]) -> Vec<(&'static str, String)> {
    let reads = tools.iter().any(|tool| tool.effect == Effect::Read);
    let changing: Vec<&ToolManifest> = tools
        .iter()
        .filter(|tool| tool.effect != Effect::Read)
        .collect();
    let mut files = Vec::new();
    if reads {
        files.push(("reads", READS.to_owned()));
    }
    if !changing.is_empty() {
        let mut text = CHANGES.to_owned();
        let is_bare = |tool: &&ToolManifest| tool.targets.iter().all(|target| target.optional);
        if changing.iter().any(|tool| !tool.targets.is_empty()) {
            text.push_str(UNLESS_NAMED);
        }
        if changing.iter().any(is_bare) {
            text.push_str(WITHOUT_TARGET);
        }
        let targets = || changing.iter().flat_map(|tool| &tool.targets);
        let are_files = |entity: &str| entity == "Path";
        // What a file holds leads nowhere by itself.
        if changing.iter().any(is_bare) || targets().any(|target| !are_files(&target.entity)) {
            let files_too = targets().any(|target| are_files(&target.entity));
            let except = if files_too {
                "resource is Path || "
            } else {
                ""
            };
            text.push_str(&TEXTS.replace("EXCEPT", except));
        }
        files.push(("changes", text));
    }
    let named: String = changing
        .iter()
        .map(|tool| beside_targets(tool, &ASK_REQUESTER))
        .collect();
    if !named.is_empty() {
        files.push(("named", format!("{NAMED_BY_REQUESTER}{named}")));
    }
    files
}

const CHANGES: &str = r#"// Guess. Nothing is changed unless somebody asked for something; what else it takes, the rules below say.
@id("changes-for-a-turn")
@reason("A person's turn is behind the call.")
permit (
    principal,
    action in [Action::"writes", Action::"irreversible"],
    resource
)
when { context.intent.live };
"#;

const UNLESS_NAMED: &str = r#"
// Guess. What the call acts on stands in the words of the person who asked.
@id("asked-unless-named")
@reason("The turn's words do not name what the call acts on: the person who asked is asked again.")
@escalate("requester")
forbid (
    principal,
    action in [Action::"writes", Action::"irreversible"],
    resource
)
when { context has target }
unless { context.target.sources.containsAny(["user", "user_earlier", "confirmed"]) };
"#;

const WITHOUT_TARGET: &str = r#"
// Guess. A call that acts on nothing that could be named is held against what the turn speaks of; what cannot
// be taken back is always asked about.
@id("asked-without-a-target")
@reason("The call names nothing that could be held against the turn's words: the person who asked is asked again.")
@escalate("requester")
forbid (
    principal,
    action in [Action::"writes", Action::"irreversible"],
    resource is Call
)
unless { context.effect == "write" && context.asked.verb };
"#;

const TEXTS: &str = r#"
// Guess. A link, an address or an account in a text leads somewhere, too.
@id("asked-about-links-in-texts")
@reason("A text of the call holds an address, a link or an account that the turn's words do not: the person who asked is asked again.")
@escalate("requester")
forbid (
    principal,
    action in [Action::"writes", Action::"irreversible"],
    resource
)
unless
{
    EXCEPT["user", "user_earlier", "confirmed"].containsAll(context.text.sources)
};
"#;

const NAMED_BY_REQUESTER: &str = "\
// Guess. What a call names beside what it acts on stands in the words of the person who asked, too.
";

/// Whom a rule asks, and what keeps it from asking.
struct Asking {
    escalate: &'static str,
    reason: &'static str,
    sources: &'static str,
}

const ASK_ANYBODY: Asking = Asking {
    escalate: "@escalate",
    reason: "The person did not name `NAME`, and no system did: a person is asked.",
    sources: r#"["user", "user_earlier", "confirmed", "system_field", "first_party_field"]"#,
};
const ASK_REQUESTER: Asking = Asking {
    escalate: r#"@escalate("requester")"#,
    reason: "The turn's words do not name `NAME`: the person who asked is asked again.",
    sources: r#"["user", "user_earlier", "confirmed"]"#,
};

/// The files with their texts.
pub(super) fn of(tools: &[ToolManifest]) -> Vec<(&'static str, String)> {
    let mut files = Vec::new();
    if tools.iter().any(|tool| tool.effect == Effect::Read) {
        files.push(("reads", READS.to_owned()));
    }
    if tools.iter().any(|tool| tool.effect != Effect::Read) {
        let rest = match EXTRACTOR >= WITH_SOURCES {
            true => SPOKEN,
            false => NO_TARGET,
        };
        files.push(("writes", format!("{WRITES}{rest}")));
    }
    let named: String = tools
        .iter()
        .map(|tool| beside_targets(tool, &ASK_ANYBODY))
        .collect();
    if !named.is_empty() {
        files.push(("named", format!("{NAMED}{named}")));
    }
    files
}

/// A rule for each identity of the tool that is no target.
fn beside_targets(tool: &ToolManifest, asking: &Asking) -> String {
    let identities = tool
        .roles
        .iter()
        .filter(|(_, role)| **role == ArgumentRole::Identity)
        .filter_map(|(at, _)| at.strip_prefix('/'));
    identities
        .filter(|name| tool.effect != Effect::Read && is_identifier(name))
        .filter(|name| {
            let mut targets = tool.targets.iter();
            !targets.any(|target| target.at.strip_prefix('/') == Some(name))
        })
        .map(|name| rule(&tool.action, name, asking))
        .collect()
}

fn rule(action: &ActionName, name: &str, asking: &Asking) -> String {
    let Asking {
        escalate,
        reason,
        sources,
    } = asking;
    let reason = reason.replace("NAME", name);
    format!(
        r#"
@id("asked-unless-grounded.{action}.{name}")
@reason("{reason}")
{escalate}
forbid (
    principal,
    action == Action::"{action}",
    resource
)
when {{ context.sources has {name} }}
unless
{{
    {sources}.containsAll(context.sources.{name})
}};
"#
    )
}

/// Whether Cedar takes the name as an attribute without quotes.
fn is_identifier(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "true", "false", "if", "then", "else", "in", "like", "has", "is", "__cedar",
    ];
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.len() <= 64
        && name.starts_with(is_letter)
        && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
        && !WORDS.contains(&name)
}
