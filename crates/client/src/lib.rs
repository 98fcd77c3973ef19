//! a small blocking HTTP client for the Countersign API.
