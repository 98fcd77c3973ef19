//! What policies read of the context, so that no more of it has to be made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A place in the context that a policy looks at: the names that lead to it.
pub(super) type Path = Vec<String>;

/// What a policy looks at in the context.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Places whose values it uses.
    pub(super) values: BTreeSet<Path>,
    /// Places of which it asks whether they are there.
    pub(super) presence: BTreeSet<Path>,
}

impl Reads {
    /// The members of the context itself.
    pub(super) fn members(&self) -> impl Iterator<Item = &String> {
        let all = self.values.iter().chain(&self.presence);
        all.filter_map(|path| path.first())
    }

    /// Whether the value at this place is used, by itself or within what is used.
    pub(super) fn uses(&self, place: &[&str]) -> bool {
        self.values
            .iter()
            .any(|path| path.iter().zip(place).all(|(one, other)| one == other))
    }
}

/// What of a value policies can read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// All of it.
    All,
    /// These members, each as far as stated.
    Members(BTreeMap<String, Self>),
}

impl Shown {
    /// Nothing of a record.
    pub(super) const NOTHING: Self = Self::Members(BTreeMap::new());

    /// Shows what somebody reads, too.
    pub(super) fn add(&mut self, reads: &Reads) {
        let all = reads.values.iter().chain(&reads.presence);
        all.for_each(|path| self.place(path));
    }

    fn place(&mut self, path: &[String]) {
        match (&mut *self, path.split_first()) {
            (Self::All, _) => {}
            (Self::Members(_), None) => *self = Self::All,
            (Self::Members(members), Some((name, rest))) => {
                let member = members.entry(name.clone()).or_insert(Self::NOTHING);
                member.place(rest);
            }
        }
    }

    /// What of a member of the record they can read, if anything.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::All => Some(self),
            Self::Members(members) => members.get(name),
        }
    }
}

/// What a policy can look at in the context; `None` if that may be anything.
pub(super) fn of(policy: &Value) -> Option<Reads> {
    let mut found = Reads::default();
    if let Some(conditions) = policy.get("conditions") {
        walk(conditions, &mut found)?;
    }
    Some(found)
}

/// Collects the places that are named from the context on. A use of the context as a whole ends the
/// walk.
fn walk(expression: &Value, found: &mut Reads) -> Option<()> {
    match expression {
        Value::Array(items) => items.iter().try_for_each(|item| walk(item, found)),
        Value::Object(members) => {
            if is_context(expression) {
                return None;
            }
            if let Some(path) = path(expression) {
                found.values.insert(path);
                return Some(());
            }
            members.iter().try_for_each(|(name, inner)| {
                if name == "has"
                    && let Some(left) = inner.get("left")
                    && let Some(mut place) = path_or_context(left)
                {
                    // `has a.b.c` is one test with the names as a list.
                    match inner.get("attr")? {
                        Value::Array(names) => {
                            place.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
                        }
                        name => place.push(name.as_str()?.to_owned()),
                    }
                    found.presence.insert(place);
                    return Some(());
                }
                walk(inner, found)
            })
        }
        _ => Some(()),
    }
}

/// The place that an expression such as `context.a.b` names.
pub(super) fn path(expression: &Value) -> Option<Path> {
    let access = expression.get(".")?;
    let mut place = path_or_context(access.get("left")?)?;
    place.push(access.get("attr")?.as_str()?.to_owned());
    Some(place)
}

fn path_or_context(expression: &Value) -> Option<Path> {
    if is_context(expression) {
        Some(Path::new())
    } else {
        path(expression)
    }
}

fn is_context(expression: &Value) -> bool {
    expression.get("Var").and_then(Value::as_str) == Some("context")
}

#[cfg(test)]
mod tests {
    use cedar_policy::Policy;

    use super::*;

    fn read(condition: &str) -> Option<Vec<String>> {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        let found = of(&Policy::parse(None, text).unwrap().to_json().unwrap())?;
        let members: BTreeSet<String> = found.members().cloned().collect();
        Some(members.into_iter().collect())
    }

    #[test]
    fn members_that_are_named_are_found_wherever_they_stand() {
        for (condition, members) in [
            ("true", &[][..]),
            ("resource has x && resource.x == \"context\"", &[]),
            ("context.a", &["a"]),
            ("context has b && !context.a.b.c", &["a", "b"]),
            ("context has b.c.d && context[\"e f\"] == 1", &["b", "e f"]),
            (
                "if context.a then [context.b].contains(1) else {x: context.c}.x like \"*\"",
                &["a", "b", "c"],
            ),
            (
                "resource == context.a || [1, {\"context\": 2}].contains(context.b)",
                &["a", "b"],
            ),
        ] {
            assert_eq!(
                read(condition),
                Some(members.iter().map(|m| (*m).to_owned()).collect()),
                "{condition}"
            );
        }
    }

    #[test]
    fn whoever_looks_at_the_context_as_a_whole_may_read_all_of_it() {
        for condition in [
            "context == {a: 1}",
            "[context].contains({a: 1})",
            "(if true then context else {a: 1}).a == 1",
            "{x: context}.x.a == 1",
            "principal == resource && {left: context, attr: \"a\"} == {left: {a: 1}, attr: \"a\"}",
        ] {
            assert_eq!(read(condition), None, "{condition}");
        }
    }
}
