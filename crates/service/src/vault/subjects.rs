//! Of whom a record speaks: tags through the blind index, so that what mentions a person is found
//! when the person asks, and the database names nobody.
//!
//! The principal of a turn and the targets of a call are found by their pseudonyms. Tags are for the
//! rest: addresses, phone numbers and accounts in the text of a turn, in arguments and reasoning, in
//! results, and entities of the directory.

use std::collections::BTreeSet;

use countersign_core::document::{Call, DirectoryChange, Facts};
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_judge::{People, people, whole_form};
use countersign_ledger::{Step, StepError};
use serde_json::Value;

use crate::Service;
use crate::state::{self, SubjectRow, key};

/// Most people that a turn, a call or a result is listed under. What speaks of more is opened and
/// looked through when somebody is asked for.
pub(crate) const SUBJECTS_PER_RECORD: usize = 16;
/// Most people that a change of the directory is listed under.
pub(crate) const SUBJECTS_PER_CHANGE: usize = 4_096;
/// Most bytes of a record's text that are looked through when it is written.
pub(crate) const SUBJECT_TEXT_BYTES: usize = 256 * 1024;

/// The tags of one record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tags {
    tags: Vec<String>,
    many: bool,
}

/// Of whom the records of a call speak, each by itself: one of them may outlive the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpokenInCall {
    call: Spoken,
    reasoning: Spoken,
    facts: Spoken,
}

/// The tags of a call's records.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallTags {
    pub(crate) call: Tags,
    pub(crate) reasoning: Tags,
    pub(crate) facts: Tags,
}

impl SpokenInCall {
    /// A call that is sealed, with what the agent said of it.
    pub(crate) fn of(call: &Call, reasoning: Option<&str>) -> Self {
        let mut spoken = Self {
            call: Spoken::in_call(call),
            ..Self::default()
        };
        if let Some(text) = reasoning {
            spoken.reasoning.text(text);
        }
        spoken
    }

    /// What the judge looked at: the call, what the turn mentions, and what the directory says.
    /// Targets are found in another way.
    pub(crate) fn judged(&mut self, call: &Call, facts: &Facts) {
        self.facts = match self.call.bytes {
            // A call that is judged again was listed when it was sealed.
            0 => Spoken::in_call(call),
            _ => self.call.clone(),
        };
        if let Some(mentioned) = facts.context.get("mentioned") {
            self.facts.value(mentioned);
        }
        for (name, value) in facts.entities.iter().flat_map(|it| &it.attributes) {
            self.facts.text(name);
            self.facts.value(value);
        }
        for spoken in [&mut self.call, &mut self.reasoning, &mut self.facts] {
            let targets = facts.targets.iter();
            spoken.without(targets.map(|target| target.entity.id.as_str()));
        }
    }
}

/// Whom some texts speak of, while they are gone through.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spoken {
    people: People,
    bytes: usize,
}

impl Spoken {
    /// Looks through a text.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > SUBJECT_TEXT_BYTES {
            self.people.too_many = true;
            return;
        }
        let found = people(text);
        self.people.forms.extend(found.forms);
        self.people.too_many |= found.too_many;
    }

    /// Looks through every text of a value, the names of its members too.
    pub(crate) fn value(&mut self, value: &Value) {
        // Strict JSON is no deeper than 64.
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(members) => {
                for (name, value) in members {
                    self.text(name);
                    self.value(value);
                }
            }
            // A phone number may be written as a number.
            Value::Number(number) => self.text(&number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// All of a call that somebody could have written.
    fn in_call(call: &Call) -> Self {
        let mut spoken = Self::default();
        spoken.text(&call.tool);
        spoken.value(&call.args);
        if let Some(id) = &call.external_call_id {
            spoken.text(id);
        }
        if let Some(wire) = &call.wire {
            spoken.text(&wire.profile);
            spoken.text(&wire.destination);
        }
        if let Some(workspace) = &call.workspace {
            let links = workspace.links.iter().flat_map(|(link, path)| [link, path]);
            for path in [&workspace.root, &workspace.cwd].into_iter().chain(links) {
                spoken.text(path);
            }
        }
        spoken
    }

    /// What one change of the directory is about.
    pub(crate) fn change(&mut self, change: &DirectoryChange) {
        self.people.forms.insert(whole_form(&change.entity.id));
        self.text(&change.entity.id);
        for (name, value) in change.attributes.iter().flatten() {
            self.text(name);
            self.value(value);
        }
    }

    /// Leaves out those who are found in another way: by these ids.
    pub(crate) fn without<'i>(&mut self, ids: impl Iterator<Item = &'i str>) {
        let known: BTreeSet<&str> = ids.collect();
        self.people.forms.retain(|form| {
            let id = form.split_once(':').map_or("", |(_, id)| id);
            !known.contains(id)
        });
    }

    /// Whether not all of it was looked through.
    pub(crate) fn is_cut(&self) -> bool {
        self.people.too_many
    }

    /// Whether it speaks of somebody who is known by one of these forms.
    pub(crate) fn speaks_of(&self, forms: &BTreeSet<String>) -> bool {
        !self.people.forms.is_disjoint(forms)
    }
}

impl Service {
    /// The tags of what was gone through, `most` at most.
    pub(crate) fn tags(&self, spoken: &Spoken, most: usize) -> Tags {
        let People { forms, too_many } = &spoken.people;
        let tags = forms.iter().take(most).map(|form| self.tag(form));
        Tags {
            tags: tags.collect(),
            many: *too_many || forms.len() > most,
        }
    }

    /// The tags of the records of a call.
    pub(crate) fn call_tags(&self, spoken: &SpokenInCall) -> CallTags {
        let tags = |spoken| self.tags(spoken, SUBJECTS_PER_RECORD);
        CallTags {
            call: tags(&spoken.call),
            reasoning: tags(&spoken.reasoning),
            facts: tags(&spoken.facts),
        }
    }

    pub(crate) fn tag(&self, form: &str) -> String {
        self.blind.subject(form).to_string()
    }
}

impl Tags {
    /// Lists a record of an entry that is pushed in the same unit of work.
    pub(crate) fn put(
        &self,
        step: &mut Step<'_>,
        reference: &Sha256,
        entry: EntryId,
    ) -> Result<(), StepError> {
        if self.many {
            state::put(step, key::subject_many(reference), &entry)?;
        }
        if self.tags.is_empty() {
            return Ok(());
        }
        for tag in &self.tags {
            state::put(step, key::subject_tag(tag, reference), &entry)?;
        }
        let tags = self.tags.clone();
        let row = SubjectRow { entry, tags };
        state::put(step, key::subject_of(reference), &row)
    }
}

/// Takes a record out of the lists.
pub(crate) fn unlist(step: &mut Step<'_>, reference: &Sha256) -> Result<(), StepError> {
    let of = key::subject_of(reference);
    if let Some(row) = state::read_in::<SubjectRow>(step, &of)? {
        for tag in &row.tags {
            step.purge(key::subject_tag(tag, reference))?;
        }
        step.purge(of)?;
    }
    let many = key::subject_many(reference);
    if step.state(&many)?.is_some() {
        step.purge(many)?;
    }
    Ok(())
}
