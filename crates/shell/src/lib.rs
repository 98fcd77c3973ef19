//! Says what a shell command line does, before it does it: what it runs with which words, which files
//! it reads and writes by redirection, which variables it sets.
//!
//! The line is parsed by the grammar of the POSIX shell with what bash adds in daily use, and refused
//! where shells differ, where text becomes code that does not stand there, or where it is too long or
//! too deep: [`Unparsed`]. What is understood is a list of [`Step`]s, each with the words as the
//! program will see them, or marked as not known beforehand.
//!
//! Everything is a pure function of the text, in time that its length bounds: no disk, no
//! environment. Which programs do what is *not* here (`countersign-judge`, from a tool's manifest),
//! nor what a path really leads to (the surface that asks, as `Workspace::links`).

mod ast;
pub mod limits;
mod parse;
mod paths;
mod steps;
mod unparsed;
mod wrap;

pub use paths::path_words;
pub use steps::{Place, Run, Step, Word, steps};
pub use unparsed::Unparsed;
