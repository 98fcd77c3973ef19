//! the storage contract of Countersign on SQLite.
