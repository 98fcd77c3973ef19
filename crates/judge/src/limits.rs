//! Every limit of the judge, named.

/// Most policies in one bundle.
pub const POLICIES: usize = 10_000;
/// Most tools in one bundle.
pub const TOOLS: usize = 1_000;
/// Most target declarations of one tool.
pub const TARGET_DECLARATIONS: usize = 64;
/// Most effects of one tool beside its action.
pub const EFFECTS: usize = 16;
/// Most arguments of one tool that are looked at for their roles, those within others too.
pub const DECLARED_ARGUMENTS: usize = 4096;
/// Most literals that one bundle acknowledges.
pub const ACKNOWLEDGED: usize = 1_000;
/// Most declared counters of one bundle.
pub const COUNTERS: usize = 64;
/// Longest name of a counter, in bytes.
pub const COUNTER_NAME_BYTES: usize = 64;
/// Most rules of the command lines of one tool.
pub const COMMAND_RULES: usize = 1_000;
/// Most items of one list of such a rule.
pub const COMMAND_ITEMS: usize = 256;
/// Most words of a program with its subcommand.
pub const COMMAND_WORDS: usize = 4;
/// Longest value that the facts show of what is not known beforehand, in characters.
pub const UNKNOWN_CHARS: usize = 200;
/// Most decimal places that a sum counts.
pub const COUNTER_DECIMALS: u8 = 9;
/// Longest window of a counter, in seconds: 366 days.
pub const COUNTER_WINDOW_S: u32 = 366 * 24 * 3600;
/// Deepest nesting of the expressions of one policy: each operator of a chain such as `a || b || c`,
/// each member, call, bracket and `when` is a level.
pub const EXPRESSION_DEPTH: usize = 256;
/// Deepest nesting of a policy that is read at all, also of a bundle that the log holds; of types in a schema, too.
pub const READ_DEPTH: usize = 4 * EXPRESSION_DEPTH;
/// Most bytes of one policy file, schema or manifest.
pub const FILE_BYTES: usize = 1024 * 1024;
/// Most pairs of a policy and a kind of request that it can apply to, which validation visits.
pub const VALIDATION_PAIRS: usize = 1_000_000;
/// Most policies in all slices together; beyond it a slice is the whole set.
pub const SLICED_POLICIES: usize = 200_000;
/// Most bytes of policies in all slices together; beyond it a slice is the whole set.
pub const SLICED_BYTES: usize = 32 * 1024 * 1024;
/// Most entities of the directory that the facts of one call hold.
pub const ENTITIES: usize = 256;
/// Most entities that the directory is asked for to draw the facts of one call, known or not.
pub const ENTITY_LOOKUPS: usize = 4096;
/// Most entities whose attributes the policies of one action ask for by name.
pub const NAMED_ENTITIES: usize = 128;
/// Deepest nesting of lists and objects in an attribute of an entity. Strict JSON has 64 levels, of
/// which the documents that hold attributes take some.
pub const ATTRIBUTE_DEPTH: usize = 32;
/// Most bytes of the `@reason` of a policy.
pub const REASON_BYTES: usize = 1024;
/// Most findings that one check reports.
pub const FINDINGS: usize = 200;
/// Deepest nesting of the JSON Schema of arguments: four levels of a bundle's document are around it.
pub const SCHEMA_DEPTH: usize = countersign_core::limits::JSON_DEPTH - 4;
/// Deepest nesting of an argument's schema that becomes a type in policies.
pub const ARGUMENT_TYPE_DEPTH: usize = 16;
/// Most bytes of text of one result that are searched, and as many of fields that somebody vouches for.
pub const RESULT_TEXT_BYTES: usize = 1024 * 1024;
/// Most bytes of a result's text that is read as JSON or YAML.
pub const PARSED_RESULT_BYTES: usize = 4 * 1024 * 1024;
/// How many of a session's newest results count.
pub const RESULTS_SEEN: usize = countersign_core::limits::RESULTS_SEEN;
/// Most labels of fields in one tool's manifest.
pub const RESULT_LABELS: usize = 256;
/// Most steps from a result to a field that a label names.
pub const LABEL_STEPS: usize = 32;
/// Most places of one value in one result, and most whole fields that hold it, that are looked at.
pub const RESULT_PLACES: usize = 16;
/// Most fields by which a turn can name one record of a result.
pub const RECORD_NAMES: usize = 32;
/// Longest pointer into a result that facts show, in bytes.
pub const POINTER_BYTES: usize = 1024;
/// Most fields of one label that the facts show of what a text carries.
pub const CARRIED: usize = 32;
/// Most steps of one call's search for carried values; when it takes more, what is left counts as
/// found.
pub const CARRIED_STEPS: usize = 4_000_000;
/// Most distinct values of one kind that are kept of one turn or result.
pub const MENTIONS: usize = 65_536;
/// Most places that are kept of one value in one turn or result.
pub const PLACES: usize = 4;
/// Most places that the facts give for one target.
pub const EVIDENCE: usize = 32;
/// Most places that the facts give for all values of one call together, beside its targets.
pub const VALUE_EVIDENCE: usize = 1024;
/// Most different dates, and most different times, of one part of a turn that are put together.
pub const MOMENTS: usize = 64;
/// Most words of a turn's principal that the action gate looks at.
pub const SPOKEN_WORDS: usize = 65_536;
/// Most verbs, and most nouns, of one action in one language.
pub const ACTION_WORDS: usize = 64;
/// Most bytes of a verb or noun of an action.
pub const ACTION_WORD_BYTES: usize = 64;
/// Most different addresses, links, accounts and the like in one text argument.
pub const TEXT_ENTITIES: usize = 256;
/// Most items in each set of `context.mentioned`.
pub const MENTIONED: usize = 256;
/// Longest quoted string that counts as a mention, in bytes.
pub const QUOTED_BYTES: usize = 512;
/// Longest target, in bytes.
pub const TARGET_BYTES: usize = 4096;
/// Longest time that a permit may be good for, in seconds.
pub const PERMIT_TTL_S: u32 = 3600;
/// Longest time that a person may take to answer an escalation, in seconds: a day.
pub const ESCALATION_TTL_S: u32 = 86_400;
/// Longest time that a bundle keeps records before they are erased, in days: a hundred years.
pub const RETENTION_DAYS: u32 = 36_500;
/// Longest time that an opening waits for its second person, in seconds: a day.
pub const SECOND_READER_S: u32 = 86_400;
/// Most records that a bundle lets one credential open in an hour, unless it sets no bound.
pub const OPENED_PER_HOUR: u32 = 1_000_000;
/// Longest time that old backups may open what was erased, in hours: a year.
pub const ERASURE_WINDOW_H: u32 = 8_760;
/// Highest threshold of a detector.
pub const WATCH_THRESHOLD: u32 = 1000;
/// Longest window of a detector, in seconds: a week.
pub const WATCH_WINDOW_S: u32 = 7 * 24 * 3600;
/// Most items of what the detectors are not to count.
pub const WATCH_MUTES: usize = 64;
/// Most calls that an actor's past may have to hold before a detector goes by it.
pub const WATCH_PAST_CALLS: u32 = 100_000;
/// Most days that it may have to hold.
pub const WATCH_PAST_DAYS: u32 = 365;
/// Most cases in one file.
pub const CASES: usize = 10_000;
/// Most values of arguments, and things that stand in texts, that one call can hold.
pub const VALUES: usize = 1_024;
/// Most values of one argument of a call by which its result can be named.
pub const NAMING_VALUES: usize = 16;
