//! The client against servers that answer as they should not.

#[cfg(test)]
mod answers;
