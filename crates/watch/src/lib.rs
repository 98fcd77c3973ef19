//! detectors as pure folds over ledger entries.
