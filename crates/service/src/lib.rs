//! the one place where the parts of Countersign meet.
