//! Words of refusals.
