//! The values that a condition on sources looks at, with the sources that they had.

use std::collections::BTreeSet;

use countersign_core::document::{ArgumentRole, CedarRequest, Facts, Source};
use countersign_core::json::pointer::name_of;

use super::condition::{Compared, Condition};
use super::{Had, SourceComparison, SourceTest, SourcesOf};

/// Most values that are given of one test.
const VALUES: usize = 16;

/// What a condition asks of sources, beside the sources that there were.
pub(super) fn tests(
    facts: &Facts,
    request: &CedarRequest,
    condition: &Condition,
) -> Vec<SourceTest> {
    let compared = condition.compared().into_iter();
    compared
        .map(|compared| SourceTest {
            had: had(facts, request, &compared),
            of: compared.of,
            test: compared.test,
            sources: compared.sources,
        })
        .collect()
}

fn had(facts: &Facts, request: &CedarRequest, compared: &Compared) -> Vec<Had> {
    let all: Vec<Had> = match &compared.of {
        SourcesOf::Target => {
            let at = request
                .context
                .get("target")
                .and_then(|target| target.get("at"));
            let targets = facts.targets.iter();
            targets
                .filter(|target| Some(target.at.as_str()) == at.and_then(|at| at.as_str()))
                .take(1)
                .map(|target| value(&target.at, &target.value, &target.sources))
                .collect()
        }
        SourcesOf::Argument(name) => {
            let targets = facts.targets.iter().map(|target| {
                (
                    target.at.as_str(),
                    value(&target.at, &target.value, &target.sources),
                )
            });
            let values = facts.values.iter().filter(|fact| fact.found.is_none());
            let values = values.map(|fact| {
                (
                    fact.at.as_str(),
                    value(&fact.at, &fact.value, &fact.sources),
                )
            });
            targets
                .chain(values)
                .filter(|(at, _)| is_below(at, name))
                .map(|(_, had)| had)
                .collect()
        }
        SourcesOf::Text => facts
            .values
            .iter()
            .filter(|fact| fact.role == ArgumentRole::Text && fact.found.is_some())
            .map(|fact| value(&fact.at, &fact.value, &fact.sources))
            .collect(),
    };
    let fails = |had: &Had| {
        let strongest = strongest(&had.sources);
        match compared.test {
            SourceComparison::OnlyFrom => !compared.sources.contains(&strongest),
            SourceComparison::AnyOf | SourceComparison::AllOf => true,
        }
    };
    all.into_iter().filter(fails).take(VALUES).collect()
}

fn value(at: &str, value: &str, sources: &BTreeSet<Source>) -> Had {
    Had {
        at: at.to_owned(),
        value: value.to_owned(),
        sources: Source::BY_AUTHORITY
            .into_iter()
            .filter(|source| sources.contains(source))
            .collect(),
    }
}

/// Sources are given with the strongest first.
fn strongest(sources: &[Source]) -> Source {
    sources.first().copied().unwrap_or(Source::None)
}

/// Whether a JSON Pointer leads to or below a top-level argument.
fn is_below(at: &str, argument: &str) -> bool {
    let first = at.strip_prefix('/').map(|rest| rest.split('/').next());
    first.flatten().map(name_of).as_deref() == Some(argument)
}
