//! the offline verifier of Countersign ledgers.
