//! Recorded runs: one run per line, with its turn and its steps; a ground truth says whose each
//! step is.

use serde_json::Value;

use super::{Collected, Record, list, text};
use crate::model::{Call, Transcript};
use crate::session::{Builder, args};

pub(super) fn read(records: Vec<Record>, out: &mut Transcript) {
    let mut collected = Collected::default();
    for record in records {
        let run = &record.value;
        let Some(turn) = text(run, "user_turn") else {
            out.is_broken(record.line, "a run without `user_turn`");
            continue;
        };
        let mut builder = Builder::named(name(run, record.line));
        builder.agent_is(text(run, "pipeline"));
        builder.principal(vec![turn.to_owned()], None);
        for step in list(run, "steps") {
            one(&mut builder, step);
        }
        collected.add(builder);
    }
    collected.finish(out);
}

fn one(builder: &mut Builder, step: &Value) {
    let Some(tool) = text(step, "function") else {
        return builder.skip("steps without a function");
    };
    builder.call(Call {
        id: None,
        tool: tool.to_owned(),
        args: args(step.get("args")),
        at: None,
        origin: text(step, "origin").map(str::to_owned),
    });
    if step.get("executed").and_then(Value::as_bool) == Some(false) {
        return;
    }
    let error = step.get("error").filter(|error| !error.is_null());
    if let Some(output) = step.get("output") {
        builder.output(None, None, output.clone(), error.is_some());
    }
}

fn name(run: &Value, line: usize) -> String {
    let of = |member| text(run, member);
    let Some(task) = of("user_task") else {
        return format!("line {line}");
    };
    let suite = of("suite").unwrap_or("run");
    match of("injection_task") {
        Some(injection) => format!("{suite}/{task} × {injection}"),
        None => format!("{suite}/{task}"),
    }
}
