//! What leaves a log after release: witnesses asked, checkpoints cosigned, tiles published.
