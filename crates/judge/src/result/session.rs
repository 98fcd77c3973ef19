//! An index over the results of a session that grows cheaply.
//!
//! Results stand in segments that are merged as a binary counter counts, so that a lookup asks a
//! few segments instead of all results, and one more result costs little. Segments are shared by
//! the states of a session before and after.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use countersign_core::document::{Confidentiality, ToolResult};
use countersign_core::refs::ResultRef;

use super::carried::{Patterns, Places, Sieve};
use super::{Carried, Hit, Look, SeenResult};
use crate::bundle::CompiledBundle;
use crate::limits::{CARRIED, POINTER_BYTES, RESULTS_SEEN};
use crate::value::Key;

/// Most results of one segment: what is older than all that count is dropped by segments.
const SEGMENT: usize = 64;

/// The results of a session, in the order of the log. The newest [`RESULTS_SEEN`] count.
#[derive(Debug, Clone, Default)]
pub struct SessionResults {
    /// The oldest first.
    pub(super) segments: Vec<Arc<Segment>>,
    /// How many results of the first segment are too old to count.
    passed: usize,
    /// The first bytes of all that not everybody may read. Those of results that no longer count may
    /// still be among them.
    sieve: Option<Arc<Sieve>>,
}

#[derive(Debug)]
pub(super) struct Segment {
    results: Vec<Arc<SeenResult>>,
    /// Digests of keys, with the result that holds one; sorted.
    keys: Vec<(u64, u32)>,
    /// The first bytes of values that not everybody may read, with the result and the number of the
    /// pattern there; sorted.
    grams: Vec<(u32, u32, u32)>,
}

impl SessionResults {
    /// A session without results.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The session with these results, in the order of the log.
    pub fn of(
        results: impl IntoIterator<Item = (ResultRef, ToolResult)>,
        bundle: &CompiledBundle,
    ) -> Self {
        results
            .into_iter()
            .fold(Self::empty(), |session, (result_ref, result)| {
                let seen = SeenResult::new(result_ref, Arc::new(result), bundle);
                session.extended(Arc::new(seen))
            })
    }

    /// The session with one more result.
    #[must_use]
    pub fn extended(&self, result: Arc<SeenResult>) -> Self {
        let mut segments = self.segments.clone();
        let newest = Segment::of(result);
        let sieve = newest.sieve(self.sieve.as_ref());
        segments.push(Arc::new(newest));
        while let Some(merged) = mergeable(&segments) {
            segments.truncate(segments.len() - 2);
            segments.push(Arc::new(merged));
        }
        let total: usize = segments.iter().map(|segment| segment.results.len()).sum();
        let mut passed = total.saturating_sub(RESULTS_SEEN);
        while let Some(first) = segments.first()
            && first.results.len() <= passed
        {
            passed -= first.results.len();
            segments.remove(0);
        }
        Self {
            segments,
            passed,
            sieve,
        }
    }

    /// The results that count, in the order of the log.
    pub fn results(&self) -> impl Iterator<Item = &Arc<SeenResult>> {
        let all = self.segments.iter().flat_map(|segment| &segment.results);
        all.skip(self.passed)
    }

    /// The commitments of the results that count, in the order of the log.
    pub fn refs(&self) -> impl Iterator<Item = ResultRef> {
        self.results().map(|seen| seen.result_ref)
    }

    /// How many results count.
    pub fn len(&self) -> usize {
        let total: usize = self.segments.iter().map(|one| one.results.len()).sum();
        total - self.passed
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes the session takes, with its results but for their own documents.
    pub fn weight(&self) -> usize {
        let of_segment = |segment: &Arc<Segment>| {
            segment.keys.len() * size_of::<(u64, u32)>()
                + segment.grams.len() * size_of::<(u32, u32, u32)>()
        };
        let results: usize = self.results().map(|seen| seen.weight()).sum();
        results + self.segments.iter().map(of_segment).sum::<usize>()
    }

    /// Where something with one of these keys stands: result by result in the order of the log, and
    /// in each in the order of its fields. Of one result, at most
    /// [`RESULT_PLACES`](crate::limits::RESULT_PLACES) mentions of each key and as many whole fields,
    /// those that somebody vouches for first.
    pub(crate) fn find(&self, keys: &[Key]) -> Vec<Hit<'_>> {
        self.look(keys, Look::Everywhere)
    }

    /// Where something with one of these keys is mentioned, as extractor 1 looked for it.
    pub(crate) fn mentions(&self, keys: &[Key]) -> Vec<Hit<'_>> {
        self.look(keys, Look::Mentions)
    }

    fn look(&self, keys: &[Key], look: Look) -> Vec<Hit<'_>> {
        let digests: Vec<u64> = keys.iter().map(digest).collect();
        let mut hits = Vec::new();
        for (segment, passed) in self.segments() {
            for n in segment.holders(&digests) {
                if let Some(seen) = segment.results.get(n).filter(|_| n >= passed) {
                    hits.extend(seen.hits(keys, look));
                }
            }
        }
        hits
    }

    /// The fields that not everybody may read and whose values stand in the text: the strictest
    /// first, then in the order of the log. At most [`CARRIED`] of each label. The steps that it takes
    /// are added to `steps`; beyond [`CARRIED_STEPS`], what is left counts as found.
    ///
    /// [`CARRIED_STEPS`]: crate::limits::CARRIED_STEPS
    pub(crate) fn carried(&self, text: &str, steps: &mut usize) -> Vec<Carried> {
        let Some(sieve) = &self.sieve else {
            return Vec::new();
        };
        let mut places = Places::of(text, sieve, *steps);
        let runs = places.runs();
        if runs.is_empty() {
            return Vec::new();
        }
        let mut found = BTreeSet::new();
        let mut before = 0;
        for (segment, passed) in self.segments() {
            segment.carried(&mut places, &runs, passed, before, &mut found);
            before += segment.results.len();
        }
        *steps = places.steps();
        self.shown(&found)
    }

    /// The labels of all that not everybody may read.
    pub(crate) fn hidden(&self) -> BTreeSet<Confidentiality> {
        let patterns = self.results().map(|seen| &seen.index.patterns);
        patterns.flat_map(Patterns::labels).collect()
    }

    /// What is told of the fields: their label, result and field.
    fn shown(
        &self,
        found: &BTreeSet<(std::cmp::Reverse<Confidentiality>, usize, u32)>,
    ) -> Vec<Carried> {
        let mut out: Vec<Carried> = Vec::new();
        let mut of_label = 0;
        let mut label_before = None;
        for (std::cmp::Reverse(label), result, field) in found {
            if label_before != Some(*label) {
                label_before = Some(*label);
                of_label = 0;
            }
            of_label += 1;
            if of_label > CARRIED {
                continue;
            }
            let mut all = self.segments.iter().flat_map(|segment| &segment.results);
            if let Some(seen) = all.nth(*result) {
                out.push(Carried {
                    label: *label,
                    result_ref: seen.result_ref,
                    pointer: seen.index.pointer(*field, POINTER_BYTES),
                });
            }
        }
        out
    }

    /// The segments, each with how many of its results are too old to count.
    fn segments(&self) -> impl Iterator<Item = (&Segment, usize)> {
        let passed = std::iter::once(self.passed).chain(std::iter::repeat(0));
        self.segments.iter().map(AsRef::as_ref).zip(passed)
    }
}

impl FromIterator<Arc<SeenResult>> for SessionResults {
    fn from_iter<I: IntoIterator<Item = Arc<SeenResult>>>(results: I) -> Self {
        let extend = |session: Self, result| session.extended(result);
        results.into_iter().fold(Self::empty(), extend)
    }
}

impl Segment {
    fn of(result: Arc<SeenResult>) -> Self {
        let mut keys: Vec<(u64, u32)> = result.index.keys().map(|key| (digest(key), 0)).collect();
        keys.sort_unstable();
        keys.dedup();
        let patterns = &result.index.patterns;
        let mut grams: Vec<(u32, u32, u32)> =
            patterns.grams().map(|(gram, n)| (gram, 0, n)).collect();
        grams.sort_unstable();
        Self {
            results: vec![result],
            keys,
            grams,
        }
    }

    /// The first bytes of what is looked for in this segment, and those of `before`.
    fn sieve(&self, before: Option<&Arc<Sieve>>) -> Option<Arc<Sieve>> {
        if self.grams.is_empty() {
            return before.cloned();
        }
        let mut sieve = before.map_or_else(Sieve::new, |before| Sieve::clone(before));
        self.grams.iter().for_each(|(gram, ..)| sieve.add(*gram));
        Some(Arc::new(sieve))
    }

    /// Two segments as one.
    fn merged(&self, newer: &Self) -> Self {
        let older = u32::try_from(self.results.len()).unwrap_or(u32::MAX);
        let results = self.results.iter().chain(&newer.results).cloned().collect();
        let keys = newer.keys.iter().map(|(digest, n)| (*digest, n + older));
        let grams = newer
            .grams
            .iter()
            .map(|(gram, n, at)| (*gram, n + older, *at));
        Self {
            results,
            keys: merge(&self.keys, keys),
            grams: merge(&self.grams, grams),
        }
    }

    /// The results that hold one of these keys, in order.
    fn holders(&self, digests: &[u64]) -> BTreeSet<usize> {
        let mut holders = BTreeSet::new();
        for wanted in digests {
            let start = self.keys.partition_point(|(digest, _)| digest < wanted);
            let from = self.keys.get(start..).unwrap_or_default();
            let same = from.iter().take_while(|(digest, _)| digest == wanted);
            holders.extend(same.filter_map(|(_, n)| usize::try_from(*n).ok()));
        }
        holders
    }

    /// Notes the fields whose values stand at the places, but for those of passed results.
    fn carried(
        &self,
        places: &mut Places<'_>,
        runs: &[(u32, std::ops::Range<usize>)],
        passed: usize,
        before: usize,
        found: &mut BTreeSet<(std::cmp::Reverse<Confidentiality>, usize, u32)>,
    ) {
        for (gram, run) in runs {
            let start = self.grams.partition_point(|(known, ..)| known < gram);
            let from = self.grams.get(start..).unwrap_or_default();
            for (_, n, at) in from.iter().take_while(|(known, ..)| known == gram) {
                places.step();
                let n = usize::try_from(*n).unwrap_or(usize::MAX);
                let seen = self.results.get(n).filter(|_| n >= passed);
                let Some((pattern, field)) = seen.and_then(|seen| seen.index.patterns.get(*at))
                else {
                    continue;
                };
                let entry = (std::cmp::Reverse(pattern.label), before + n, *field);
                if !found.contains(&entry) && places.hold(pattern, run) {
                    found.insert(entry);
                }
            }
        }
    }
}

/// The last two segments as one, if they are as long as each other.
fn mergeable(segments: &[Arc<Segment>]) -> Option<Segment> {
    let [.., older, newer] = segments else {
        return None;
    };
    let same = older.results.len() == newer.results.len();
    (same && 2 * newer.results.len() <= SEGMENT).then(|| older.merged(newer))
}

/// Two sorted lists as one.
fn merge<T: Ord + Copy>(one: &[T], other: impl Iterator<Item = T>) -> Vec<T> {
    let mut out = Vec::with_capacity(one.len() + other.size_hint().0);
    let mut one = one.iter().copied().peekable();
    let mut other = other.peekable();
    loop {
        match (one.peek(), other.peek()) {
            (Some(a), Some(b)) if b < a => out.extend(other.next()),
            (Some(_), _) => out.extend(one.next()),
            (None, Some(_)) => out.extend(other.next()),
            (None, None) => return out,
        }
    }
}

/// A digest by which segments are asked. Two keys with one digest only cost a look at the result,
/// which compares keys.
fn digest(key: &Key) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
}
