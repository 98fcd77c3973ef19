//! Whether something new stands out.

/// How long an actor has met with nothing new, by its own count.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Novelty {
    /// So many in a row that were not new.
    since: u32,
    /// The longest such row that something new has ended.
    longest: u32,
}

impl Novelty {
    /// Something known was met.
    pub(crate) fn usual(&mut self) {
        self.since = self.since.saturating_add(1);
    }

    /// Something new was met. It stands out if it ends a row of at least `least` that is also `times`
    /// as long as any before: who meets new things now and then does so after rows of some length.
    pub(crate) fn novel(&mut self, least: u32, times: u32) -> bool {
        let stands_out = self.since >= least.max(self.longest.saturating_mul(times));
        self.longest = self.longest.max(self.since);
        self.since = 0;
        stands_out
    }
}

#[cfg(test)]
mod tests {
    use super::Novelty;

    #[test]
    fn what_comes_now_and_then_does_not_stand_out() {
        let mut novelty = Novelty::default();
        let mut found = 0;
        for _ in 0..50 {
            for _ in 0..150 {
                novelty.usual();
            }
            found += u32::from(novelty.novel(100, 2));
        }
        assert_eq!(found, 1, "the first time only");
        (0..299).for_each(|_| novelty.usual());
        assert!(!novelty.novel(100, 2));
        (0..598).for_each(|_| novelty.usual());
        assert!(novelty.novel(100, 2));
    }
}
