//! Whatever comes, the witness answers, and never with a signature that it should not give.

use countersign_witness::{AddCheckpoint, MemoryStore};
use proptest::prelude::*;

use crate::kit::{Log, send, time, witness};

proptest! {
    #[test]
    fn garbage_is_answered(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let witness = witness(&Log::new(1, 0), MemoryStore::default());
        let reply = witness.add_checkpoint(&body, time(1));
        prop_assert!((400..500).contains(&reply.status));
    }

    #[test]
    fn a_request_with_one_byte_changed_is_the_same_or_refused(
        old in 0_u64..40, more in 0_u64..40, at in any::<prop::sample::Index>(), bit in 0_u8..8,
    ) {
        let log = Log::new(80, 0);
        let witness = witness(&log, MemoryStore::default());
        if old > 0 {
            prop_assert_eq!(send(&witness, &log.request(0, old)).status, 200);
        }
        let good = log.request(old, old + more);
        let mut body = good.to_string().into_bytes();
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        let reply = witness.add_checkpoint(&body, time(1));
        if reply.status == 200 {
            // A name or id that is changed makes a line of a stranger; but there is only the log's.
            prop_assert!(false, "cosigned with byte {} changed", at);
        }
    }

    #[test]
    fn what_is_read_is_written_back(old in 0_u64..40, more in 0_u64..40) {
        let log = Log::new(80, 0);
        let text = log.request(old, old + more).to_string();
        prop_assert_eq!(AddCheckpoint::parse(text.as_bytes()).unwrap().to_string(), text);
    }
}
