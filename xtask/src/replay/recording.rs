//! Recorded runs: what AgentDojo's ground truth and recorded runs of models have in common.

use std::io::Read as _;
use std::path::Path;

use ruzstd::decoding::StreamingDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Error;

/// Most bytes of a recording when it is unpacked: 1 GiB.
const RECORDING_BYTES: u64 = 1024 * 1024 * 1024;
/// How the calls of a ground truth are called where a model's name would stand.
const GROUND_TRUTH: &str = "ground-truth";

/// One run: a turn, and the calls that an agent made upon it.
#[derive(Debug, Deserialize)]
pub(crate) struct Run {
    /// The suite of tools.
    pub(crate) suite: String,
    /// Which model ran; a ground truth has none.
    #[serde(default = "ground_truth")]
    pub(crate) pipeline: String,
    /// The person's words.
    pub(crate) user_turn: String,
    /// The calls, in order.
    pub(crate) steps: Vec<Step>,
    /// The attacker's task, where there was an attack.
    #[serde(default)]
    pub(crate) injection_task: Option<String>,
    /// Of a model's run: the attacker's texts, by where they stood.
    #[serde(default)]
    pub(crate) injections: std::collections::BTreeMap<String, String>,
    /// Of a model's run: whether the person's task was done.
    #[serde(default)]
    pub(crate) utility: Option<bool>,
    /// Of a model's run: whether the attacker's was.
    #[serde(default)]
    pub(crate) security: Option<bool>,
}

impl Run {
    /// Whether the person's task was done.
    pub(crate) fn is_useful(&self) -> bool {
        self.utility == Some(true)
    }
}

/// One call of a run.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    /// The tool.
    pub(crate) function: String,
    /// The arguments, byte by byte as they were recorded.
    pub(crate) args: Box<RawValue>,
    /// What the model saw of the result.
    pub(crate) output: String,
    /// The tool's error, if it failed.
    #[serde(default)]
    pub(crate) error: Option<String>,
    /// Whether the recorded call ran; a ground truth's always did.
    #[serde(default = "yes")]
    pub(crate) executed: bool,
    /// Who is behind the call, where the recording says: `user` or `injection`.
    #[serde(default)]
    pub(crate) origin: Option<String>,
}

fn ground_truth() -> String {
    GROUND_TRUTH.to_owned()
}

fn yes() -> bool {
    true
}

/// All runs of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Run>, Error> {
    let text = text(path)?;
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(n, line)| {
            serde_json::from_str(line).map_err(|error| Error::Line {
                path: path.to_path_buf(),
                line: n + 1,
                reason: error.to_string(),
            })
        })
        .collect()
}

fn text(path: &Path) -> Result<String, Error> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let bytes = match path.extension().is_some_and(|end| end == "zst") {
        true => unpacked(&bytes).map_err(Error::io(path))?,
        false => bytes,
    };
    String::from_utf8(bytes).map_err(|error| Error::io(path)(std::io::Error::other(error)))
}

/// All frames of compressed data, one after the other (RFC 8878 section 3).
fn unpacked(mut packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    while !packed.is_empty() {
        let frame = StreamingDecoder::new(&mut packed).map_err(std::io::Error::other)?;
        // One byte more than allowed, so that a longer recording is met and not cut.
        frame.take(RECORDING_BYTES + 1).read_to_end(&mut out)?;
        if out.len() as u64 > RECORDING_BYTES {
            return Err(std::io::Error::other(format!(
                "it holds more than {RECORDING_BYTES} bytes"
            )));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    #[test]
    fn every_frame_is_unpacked_and_a_cut_one_is_an_error() {
        let frame = |text: &str| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        let packed = [frame("one\n"), frame("two\n")].concat();
        assert_eq!(unpacked(&packed).unwrap(), b"one\ntwo\n");
        assert!(unpacked(&packed[..packed.len() - 1]).is_err());
        assert!(unpacked(b"no frame").is_err());
    }

    #[test]
    fn both_kinds_of_recordings_are_read() {
        let ground_truth: Run = serde_json::from_str(
            r#"{"kind":"attack","suite":"slack","user_task":"user_task_0","user_turn":"Hi.",
                "injection_task":"injection_task_1","goal":"…","steps":[{"origin":"injection",
                "function":"f","args":{"a": 1.10},"output":"x","error":null}]}"#,
        )
        .unwrap();
        let step = &ground_truth.steps[0];
        assert_eq!(ground_truth.pipeline, GROUND_TRUTH);
        assert_eq!((step.args.get(), step.executed), (r#"{"a": 1.10}"#, true));
        assert_eq!(step.origin.as_deref(), Some("injection"));

        let run: Run = serde_json::from_str(
            r#"{"pipeline":"gpt-4o","suite":"slack","injection_task":null,"user_turn":"Hi.",
                "steps":[{"function":"f","args":{},"output":"","error":"E","executed":false}]}"#,
        )
        .unwrap();
        assert_eq!(
            (run.pipeline.as_str(), run.injection_task.is_none()),
            ("gpt-4o", true)
        );
        assert_eq!(
            (run.steps[0].error.as_deref(), run.steps[0].executed),
            (Some("E"), false)
        );
    }
}
