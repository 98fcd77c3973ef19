//! Every limit of the reader, named.

/// Longest command line, in bytes.
pub const COMMAND_BYTES: usize = 16 * 1024;
/// Deepest nesting of everything that nests: groups, loops, substitutions, quoted commands.
pub const DEPTH: usize = 24;
/// Most bytes that are parsed for one command line, with the commands that stand in its words.
pub const PARSED_BYTES: usize = 8 * COMMAND_BYTES;
/// Most things that one command line does.
pub const STEPS: usize = 512;
/// Most directories that a command may run in, as far as can be told.
pub const PLACES: usize = 8;
/// Most paths that one command line names, as [`path_words`](crate::path_words) gives them.
pub const PATH_WORDS: usize = 256;
/// Most letters that may stand together behind one `-`.
pub const LETTERS: usize = 16;
/// Most bytes of a word that is shown as it is written.
pub const SHOWN_BYTES: usize = 512;
