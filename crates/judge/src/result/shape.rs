//! A tool's result manifest, compiled: which field is whose.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::document::{
    Confidentiality, FieldLabel, Integrity, ResultFormat, ToolManifest,
};

use super::path::{LabelPath, Step};
use crate::finding::Finding;
use crate::limits::{LABEL_STEPS, RESULT_LABELS};

/// How the results of a tool are read, and who wrote which field. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResultShape(Arc<Shape>);

#[derive(Debug, PartialEq, Eq)]
struct Shape {
    format: ResultFormat,
    first_party: bool,
    /// A trie of label paths; the first node is the whole result.
    nodes: Vec<Node>,
    /// The entity types that labels name.
    entities: Vec<String>,
    /// The strictest label of confidentiality.
    strictest: Confidentiality,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Node {
    names: HashMap<String, usize>,
    items: HashMap<u32, usize>,
    tokens: HashMap<String, usize>,
    any: Option<usize>,
    /// The label of the value.
    label: Label,
    /// The label of the names of its members.
    of_names: Option<Label>,
}

/// What a manifest says of one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Label {
    integrity: Option<Integrity>,
    confidentiality: Option<Confidentiality>,
    entity: Option<u16>,
}

/// What is known of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Labels {
    pub(super) integrity: Integrity,
    pub(super) confidentiality: Confidentiality,
    pub(super) entity: Option<u16>,
}

impl Labels {
    /// Nobody vouches for it, and everybody may read it.
    pub(super) const NONE: Self = Self {
        integrity: Integrity::Correspondent,
        confidentiality: Confidentiality::Public,
        entity: None,
    };
}

/// A place in a result: the nodes of the trie that stand for it, the most specific first, and what
/// holds from above.
#[derive(Debug, Clone, Default)]
pub(super) struct Spotted {
    nodes: Vec<usize>,
    /// A label of the list whose item this is.
    of_list: Label,
    /// Whether a label above lowers what is below.
    lowered: bool,
    confidentiality: Option<Confidentiality>,
}

impl ResultShape {
    /// JSON without labels: for tools that no manifest names.
    pub(crate) fn plain() -> Self {
        Self::of(ResultFormat::Json, false)
    }

    fn of(format: ResultFormat, first_party: bool) -> Self {
        Self(Arc::new(Shape::blank(format, first_party)))
    }

    /// Checks and compiles what a manifest says of a tool's results. A shape with errors knows no
    /// label.
    pub(crate) fn compile(
        manifest: &ToolManifest,
        file: &str,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let Some(results) = &manifest.results else {
            return Self::plain();
        };
        let mut shape = Shape::blank(results.format, results.first_party);
        let before = findings.len();
        if results.format == ResultFormat::Text && results.first_party {
            findings.push(
                Finding::error(file, "the results are text, so `first_party` says nothing of them")
                    .hint("text has no fields, and so none that is trusted; use `json`, `json-text` or `yaml`"),
            );
        }
        if results.fields.len() > RESULT_LABELS {
            let text = format!(
                "{} labels of fields are more than {RESULT_LABELS}",
                results.fields.len()
            );
            findings.push(Finding::error(file, text));
            return Self::of(results.format, false);
        }
        let mut seen: HashMap<(Vec<Option<String>>, bool), &str> = HashMap::new();
        for field in &results.fields {
            match read(field, results.format) {
                Ok(path) => {
                    let steps = path.steps.iter().map(Step::text).collect();
                    if let Some(other) = seen.insert((steps, path.names), &field.at) {
                        findings.push(
                            Finding::error(file, format!("the fields `{}` and `{other}` of the result are one, and have two labels", field.at))
                                .hint("put all that is said of a field into one label"),
                        );
                    }
                    shape.insert(path, field);
                }
                Err(text) => findings.push(Finding::error(
                    file,
                    format!("the label of the result's field `{}`: {text}", field.at),
                )),
            }
        }
        if findings.len() > before {
            return Self::of(results.format, false);
        }
        Self(Arc::new(shape))
    }

    pub(super) fn format(&self) -> ResultFormat {
        self.0.format
    }

    /// Whether a label says that not everybody may read something.
    pub(super) fn hides(&self) -> bool {
        self.0.strictest > Confidentiality::Public
    }

    /// What is known of a field of a result that did not come as the manifest says: nobody vouches
    /// for it, and it may be the one that the strictest label speaks of.
    pub(super) fn unknown(&self) -> Labels {
        Labels {
            confidentiality: self.0.strictest,
            ..Labels::NONE
        }
    }

    pub(super) fn entity(&self, labels: &Labels) -> Option<&str> {
        let n = usize::from(labels.entity?);
        self.0.entities.get(n).map(String::as_str)
    }

    /// The whole result.
    pub(super) fn root(&self) -> Spotted {
        Spotted {
            nodes: vec![0],
            ..Spotted::default()
        }
    }

    /// What is known of the value at a place, if it is no list and no object.
    pub(super) fn labels(&self, place: &Spotted) -> Labels {
        let own = self.0.own(place);
        self.0.known(place, own.or(place.of_list))
    }

    /// What is known of the names of the members of the object at a place.
    pub(super) fn name_labels(&self, place: &Spotted) -> Option<Labels> {
        let mut label: Option<Label> = None;
        for node in place.nodes.iter().filter_map(|n| self.0.nodes.get(*n)) {
            if let Some(found) = node.of_names {
                label = Some(label.unwrap_or_default().or(found));
            }
        }
        Some(self.0.known(&self.0.below(place), label?))
    }

    /// The place of a member.
    pub(super) fn member(&self, place: &Spotted, name: &str) -> Spotted {
        self.step(place, false, |node| {
            [node.names.get(name), node.tokens.get(name)]
        })
    }

    /// The place of an item.
    pub(super) fn item(&self, place: &Spotted, n: u32) -> Spotted {
        let tokens = |n: &usize| self.0.nodes.get(*n).is_some_and(|n| !n.tokens.is_empty());
        let token = match place.nodes.iter().any(tokens) {
            true => n.to_string(),
            false => String::new(),
        };
        self.step(place, true, |node| {
            [node.items.get(&n), node.tokens.get(&token)]
        })
    }

    fn step<'a>(
        &'a self,
        place: &Spotted,
        is_item: bool,
        find: impl Fn(&'a Node) -> [Option<&'a usize>; 2],
    ) -> Spotted {
        let shape = &self.0;
        let mut below = shape.below(place);
        for node in place.nodes.iter().filter_map(|n| shape.nodes.get(*n)) {
            below.nodes.extend(find(node).into_iter().flatten());
            below.nodes.extend(node.any);
        }
        if is_item {
            below.of_list = shape.own(place);
        }
        below
    }
}

impl Label {
    /// The same, and what `other` says where this says nothing.
    fn or(self, other: Self) -> Self {
        Self {
            integrity: self.integrity.or(other.integrity),
            confidentiality: self.confidentiality.or(other.confidentiality),
            entity: self.entity.or(other.entity),
        }
    }
}

impl Shape {
    fn blank(format: ResultFormat, first_party: bool) -> Self {
        Self {
            format,
            first_party: first_party && format != ResultFormat::Text,
            nodes: vec![Node::default()],
            entities: Vec::new(),
            strictest: Confidentiality::Public,
        }
    }

    fn insert(&mut self, path: LabelPath, field: &FieldLabel) {
        let mut at = 0;
        for step in path.steps {
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else {
                return;
            };
            at = match step {
                Step::Token(text) => *node.tokens.entry(text).or_insert(fresh),
                Step::Name(text) => *node.names.entry(text).or_insert(fresh),
                Step::Index(n) => *node.items.entry(n).or_insert(fresh),
                Step::Any => *node.any.get_or_insert(fresh),
            };
            if at == fresh {
                self.nodes.push(Node::default());
            }
        }
        let entity = field.entity.as_ref().map(|entity| self.intern(entity));
        let label = Label {
            integrity: field.integrity,
            confidentiality: field.confidentiality,
            entity,
        };
        self.strictest = self
            .strictest
            .max(label.confidentiality.unwrap_or(Confidentiality::Public));
        if let Some(node) = self.nodes.get_mut(at) {
            if path.names {
                node.of_names = Some(label);
            } else {
                node.label = label;
            }
        }
    }

    fn intern(&mut self, entity: &str) -> u16 {
        let n = self
            .entities
            .iter()
            .position(|known| known == entity)
            .unwrap_or_else(|| {
                self.entities.push(entity.to_owned());
                self.entities.len() - 1
            });
        u16::try_from(n).unwrap_or(u16::MAX)
    }

    /// What labels of this very place say.
    fn own(&self, place: &Spotted) -> Label {
        place
            .nodes
            .iter()
            .filter_map(|n| self.nodes.get(*n))
            .fold(Label::default(), |label, node| label.or(node.label))
    }

    /// What holds below a place. Trust does not: a label that vouches for a value vouches for that
    /// value, not for what somebody puts in its stead. What lowers or hides does.
    fn below(&self, place: &Spotted) -> Spotted {
        let own = self.own(place).or(place.of_list);
        Spotted {
            nodes: Vec::new(),
            of_list: Label::default(),
            lowered: match own.integrity {
                Some(integrity) => integrity == Integrity::Correspondent,
                None => place.lowered,
            },
            confidentiality: own.confidentiality.or(place.confidentiality),
        }
    }

    fn known(&self, place: &Spotted, label: Label) -> Labels {
        let by_default = if self.first_party && !place.lowered {
            Integrity::FirstParty
        } else {
            Integrity::Correspondent
        };
        Labels {
            integrity: label.integrity.unwrap_or(by_default),
            confidentiality: label
                .confidentiality
                .or(place.confidentiality)
                .unwrap_or(Confidentiality::Public),
            entity: label.entity,
        }
    }
}

fn read(field: &FieldLabel, format: ResultFormat) -> Result<LabelPath, String> {
    let path = LabelPath::parse(&field.at)?;
    if path.steps.len() > LABEL_STEPS {
        return Err(format!(
            "{} steps are more than {LABEL_STEPS}",
            path.steps.len()
        ));
    }
    if field.integrity.is_none() && field.confidentiality.is_none() && field.entity.is_none() {
        return Err("it says nothing: give `integrity`, `confidentiality` or `entity`".to_owned());
    }
    let trusted = field
        .integrity
        .is_some_and(|i| i > Integrity::Correspondent);
    if format == ResultFormat::Text && (trusted || field.entity.is_some() || !path.steps.is_empty())
    {
        return Err("the results are text: only the whole (an empty path) can have a label, and only one of confidentiality".to_owned());
    }
    Ok(path)
}
