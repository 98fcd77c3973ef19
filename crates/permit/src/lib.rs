//! signing and checking Countersign permits.
