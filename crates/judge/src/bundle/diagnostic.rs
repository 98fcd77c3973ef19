//! Cedar's diagnostics as findings.

use miette::Diagnostic;

use crate::finding::{Finding, Severity};

/// An error of Cedar, at its place in `text`.
pub(crate) fn finding(file: &str, text: Option<&str>, error: &dyn Diagnostic) -> Finding {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !message.contains(&cause_text) {
            message = format!("{message}: {cause_text}");
        }
        source = cause.source();
    }
    let mut finding = Finding::error(file, message);
    let label = error.labels().and_then(|mut labels| labels.next());
    if let (Some(text), Some(label)) = (text, &label) {
        finding = finding.at(text, label.offset());
        if let Some(says) = label.label()
            && !finding.message.contains(says)
        {
            finding.message = format!("{} ({says})", finding.message);
        }
    }
    if let Some(help) = error.help() {
        finding = finding.hint(help.to_string());
    }
    finding
}

/// A warning of Cedar.
pub(crate) fn warning(file: &str, text: Option<&str>, error: &dyn Diagnostic) -> Finding {
    Finding {
        severity: Severity::Warning,
        ..finding(file, text, error)
    }
}
