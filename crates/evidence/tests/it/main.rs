//! The folder of an incident, over the story's log.

mod choosing;
mod folders;
mod reports;
mod support;
