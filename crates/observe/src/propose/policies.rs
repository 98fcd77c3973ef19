//! The rules of a guessed bundle.

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

/// The files with their texts.
pub(super) fn of(has_reads: bool, has_writes: bool) -> Vec<(&'static str, String)> {
    let mut files = Vec::new();
    if has_reads {
        files.push(("reads", READS.to_owned()));
    }
    if has_writes {
        let rest = match EXTRACTOR >= WITH_SOURCES {
            true => SPOKEN,
            false => NO_TARGET,
        };
        files.push(("writes", format!("{WRITES}{rest}")));
    }
    files
}
