//! What the results of a session hold: each read once, labelled by its tool's manifest, and looked
//! up by key in an index over all of them.
//!
//! Who may speak for a value is a matter of whole fields: a field that a label vouches for grounds
//! the value that is its whole text, never a part of it. Everything else that stands in a result is
//! only a mention.

mod carried;
mod fields;
mod index;
mod path;
mod read;
mod session;
mod shape;
#[cfg(test)]
mod tests;
mod whole;
mod yaml;

use std::sync::Arc;

use countersign_core::document::{Confidentiality, Integrity, ToolResult};
use countersign_core::refs::ResultRef;

use crate::bundle::CompiledBundle;
use crate::extract::FIRST;
use crate::limits::{PLACES, POINTER_BYTES, RESULT_PLACES};
use crate::value::Key;
use index::{ResultIndex, Spot};

pub use session::SessionResults;
pub(crate) use shape::ResultShape;

/// One result of an earlier call of the session, read as the bundle says.
#[derive(Debug)]
pub struct SeenResult {
    /// The result's commitment.
    pub result_ref: ResultRef,
    /// The result.
    pub result: Arc<ToolResult>,
    shape: ResultShape,
    index: ResultIndex,
}

impl SeenResult {
    /// Reads a result.
    pub fn new(result_ref: ResultRef, result: Arc<ToolResult>, bundle: &CompiledBundle) -> Self {
        let shape = shape_of(&result, bundle);
        Self::of(result_ref, result, shape)
    }

    fn of(result_ref: ResultRef, result: Arc<ToolResult>, shape: ResultShape) -> Self {
        let index = ResultIndex::of(&result, &shape);
        Self {
            result_ref,
            result,
            shape,
            index,
        }
    }

    /// The same without what the tool returned, for who keeps many: the facts are drawn from the
    /// index.
    #[must_use]
    pub fn indexed(self) -> Self {
        let result = ToolResult {
            tenant: self.result.tenant.clone(),
            decision: self.result.decision,
            tool: self.result.tool.clone(),
            args: self.result.args.clone(),
            by_agent: self.result.by_agent,
            is_error: self.result.is_error,
            duration_ms: None,
            result: serde_json::Value::Null,
            salt: self.result.salt,
        };
        let result = Arc::new(result);
        Self { result, ..self }
    }

    /// About how many bytes the result's index takes. The result itself is not counted.
    pub fn weight(&self) -> usize {
        self.index.weight.saturating_add(1_024)
    }

    /// Where something with one of these keys stands in this result, in the order of its fields.
    fn hits(&self, keys: &[Key], look: Look) -> Vec<Hit<'_>> {
        let mut hits = self.mentions(keys, look);
        if look == Look::Everywhere {
            self.whole_fields(keys, &mut hits);
        }
        hits
    }

    fn mentions(&self, keys: &[Key], look: Look) -> Vec<Hit<'_>> {
        let most = match look {
            Look::Mentions => PLACES,
            Look::Everywhere => RESULT_PLACES,
        };
        let mut spots: Vec<(&Spot, &str)> = keys
            .iter()
            .filter_map(|key| self.index.mentions(key))
            .flat_map(|(key, spots)| {
                let spots = spots.iter().take(most);
                spots.map(|spot| (spot, index::written(key, spot)))
            })
            .collect();
        spots.sort_by_key(|(spot, written)| (spot.field, spot.offset, written.len()));
        spots.dedup_by(|(a, a_written), (b, b_written)| {
            (a.field, a.offset) == (b.field, b.offset) && a_written == b_written
        });
        spots
            .into_iter()
            .map(|(spot, written)| self.hit(spot, written, false))
            .collect()
    }

    /// Marks the hits that are whole fields, and adds the whole fields that are no mentions.
    fn whole_fields<'a>(&'a self, keys: &[Key], hits: &mut Vec<Hit<'a>>) {
        for (key, spots) in keys
            .iter()
            .filter_map(|key| self.index.whole.get_key_value(key))
        {
            for spot in spots.iter().take(RESULT_PLACES) {
                let of_field = |hit: &&mut Hit<'_>| hit.field == spot.field && hit.offset == 0;
                if let Some(hit) = hits.iter_mut().find(of_field) {
                    hit.whole = true;
                } else {
                    let at = hits.partition_point(|hit| hit.field < spot.field);
                    hits.insert(at, self.hit(spot, index::written(key, spot), true));
                }
            }
        }
    }

    fn hit<'a>(&'a self, spot: &Spot, written: &'a str, whole: bool) -> Hit<'a> {
        let field = self.index.fields.get(spot.field);
        let labels = field.map(|field| field.labels);
        Hit {
            result: self,
            offset: u64::from(spot.offset),
            written,
            whole,
            integrity: labels.map_or(Integrity::Correspondent, |labels| labels.integrity),
            entity: labels.and_then(|labels| self.shape.entity(&labels)),
            record: field.and_then(|field| field.record).map(RecordId),
            field: spot.field,
        }
    }
}

/// What a lookup finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Mentions, as extractor 1 looked for them.
    Mentions,
    /// Mentions and whole fields.
    Everywhere,
}

fn shape_of(result: &ToolResult, bundle: &CompiledBundle) -> ResultShape {
    match bundle.tool(&result.tool) {
        // The first extractor knew no manifests of results.
        _ if bundle.extractor() == FIRST => ResultShape::plain(),
        Some(tool) => tool.results().clone(),
        None => ResultShape::plain(),
    }
}

/// A record of a result: a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RecordId(u32);

/// A place in a result where a value stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit<'a> {
    /// The result.
    pub(crate) result: &'a SeenResult,
    /// In bytes from the start of the field.
    pub(crate) offset: u64,
    /// The words that stand there.
    pub(crate) written: &'a str,
    /// Whether the value is the whole text of the field.
    pub(crate) whole: bool,
    /// Who wrote the field.
    pub(crate) integrity: Integrity,
    /// The entity type of what stands in the field, where a label says it.
    pub(crate) entity: Option<&'a str>,
    /// The innermost record that the field is in.
    pub(crate) record: Option<RecordId>,
    field: u32,
}

impl<'a> Hit<'a> {
    /// The JSON Pointer of the field.
    pub(crate) fn pointer(&self) -> String {
        self.result.index.pointer(self.field, usize::MAX)
    }

    /// The same, or that of the innermost value around the field whose pointer is no longer than
    /// [`POINTER_BYTES`]: names in a result can be as long as their author likes.
    pub(crate) fn short_pointer(&self) -> String {
        self.result.index.pointer(self.field, POINTER_BYTES)
    }

    /// The keys of the whole fields of the hit's record that somebody vouches for. If one of them
    /// stands in the principal's words, the record is named.
    pub(crate) fn record_names(&self) -> &'a [Key] {
        self.record
            .map_or(&[], |record| self.result.index.record_names(record.0))
    }
}

/// A field that not everybody may read, and whose value stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Who may read it.
    pub(crate) label: Confidentiality,
    /// The result that holds it.
    pub(crate) result_ref: ResultRef,
    /// The JSON Pointer of the field, shortened like [`Hit::short_pointer`].
    pub(crate) pointer: String,
}
