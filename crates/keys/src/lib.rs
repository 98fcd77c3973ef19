//! key files of Countersign, each for one purpose, and the signers over them.
