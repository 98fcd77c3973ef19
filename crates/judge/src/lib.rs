//! tool manifests, fact extraction, Cedar evaluation, bundles and re-judging.
