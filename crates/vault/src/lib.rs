//! sealing and opening of Countersign's plaintext.
