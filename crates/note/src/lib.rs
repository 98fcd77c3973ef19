//! C2SP signed notes, checkpoints, cosignatures, tlog-proof and tlog-policy text.
