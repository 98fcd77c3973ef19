//! The formats, against golden vectors.
