//! the plan over the head, the sequencer and the storage contract.
