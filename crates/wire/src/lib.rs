//! request and response types of the Countersign API.
