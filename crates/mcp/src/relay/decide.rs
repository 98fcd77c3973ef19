//! Asking for decisions.
