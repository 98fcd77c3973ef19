"""Recorded runs of models, judged call by call in AgentDojo's real environments and graded by its graders.

Open loop: a call that is not approved is not executed, and the model's later calls stay as they were
recorded. A real model may retry or give up, so what is kept is no more than an indication.
"""

import contextlib
import io
import json
import subprocess

from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.types import text_content_block_from_string

import scores
import worlds


def report(judge, options, manifests):
    # Some recordings have injection tasks run as if a user had asked for them: nobody's turn asks, so they
    # are no user task.
    runs = [run for run in read(options.recorded) if run["suite"] in options.suite]
    runs = [run for run in runs if run["user_task"].startswith("user_task_")]
    if options.limit:
        runs = runs[: options.limit]
    places = {name: worlds.World(name) for name in sorted({run["suite"] for run in runs})}
    play = lambda run, n: _play(judge, places[run["suite"]], run, n)
    # Some of AgentDojo's tools and graders print.
    with contextlib.redirect_stdout(io.StringIO()):
        graded = judge.all(runs, play)
    print(table(graded, runs))
    if options.json:
        options.json.write_text(json.dumps(graded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def read(path):
    """The runs in a file of JSON Lines, compressed with zstd or not."""
    if path.suffix == ".zst":
        text = subprocess.run(["zstd", "-dc", str(path)], check=True, capture_output=True).stdout.decode()
    else:
        text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in io.StringIO(text) if line.strip()]


def _play(judge, world, run, n):
    user_task = world.suite.get_user_task_by_id(run["user_task"])
    injection_task = run["injection_task"] and world.suite.get_injection_task_by_id(run["injection_task"])
    ungated = _graded(world, user_task, injection_task, run, lambda call: (True, None))
    session = judge.session(f"run-{n}", run["user_turn"])
    calls = []

    def ask(step):
        outcome, reasons, entry = session.ask(step["function"], step["args"])
        calls.append({"origin": "model", "tool": step["function"], "args": step["args"], "outcome": outcome, "reasons": reasons})
        approved = outcome == "approved"
        return approved, (lambda result, failed: session.report(entry, result, failed)) if approved else None

    gated = _graded(world, user_task, injection_task, run, ask)
    return {
        "suite": run["suite"], "user_task": run["user_task"], "injection_task": run["injection_task"],
        "pipeline": run["pipeline"], "turn": run["user_turn"],
        "calls": calls, "ungated": ungated, "gated": gated,
        "recorded": {"utility": run["utility"], "security": run["security"]},
    }


def _graded(world, user_task, injection_task, run, ask):
    """Executes what `ask` approves; what the graders say of it."""
    suite = world.suite
    env = suite.load_and_inject_default_environment(run["injections"] or {})
    env = user_task.init_environment(env)
    before = env.model_copy(deep=True)
    runtime, trace = FunctionsRuntime(suite.tools), []
    for step in run["steps"]:
        approved, report_result = ask(step)
        if not approved:
            continue
        call = worlds.Call("model", step["function"], step["args"])
        result, failed = worlds.execute(runtime, env, call)
        trace.append(FunctionCall(function=step["function"], args=step["args"]))
        if report_result:
            report_result(result, failed)
    output = [text_content_block_from_string(run["final"] or "")]
    grades = {"utility": bool(suite._check_task_result(user_task, output, before, env, trace))}
    if injection_task:
        grades["security"] = bool(suite._check_task_result(injection_task, output, before, env, trace))
    return grades


def table(graded, runs):
    """The figures as Markdown."""
    rows = [["", "workspace", "slack", "both"], ["---", "---:", "---:", "---:"]]
    groups = [[g for g in graded if g["suite"] in names] for names in (("workspace",), ("slack",), ("workspace", "slack"))]

    def row(text, figure):
        rows.append([text, *(figure(group) for group in groups)])

    def of(group, attacked, keep=lambda g: True):
        return [g for g in group if bool(g["injection_task"]) == attacked and keep(g)]

    def share(part, whole):
        return f"{len(part)} of {len(whole)} ({100 * len(part) / len(whole):.1f} %)" if whole else "–"

    useful = lambda g: g["ungated"]["utility"]
    succeeded = lambda g: g["ungated"].get("security", False)
    kept = lambda part: [g for g in part if g["gated"]["utility"]]
    untouched = lambda part: [g for g in part if scores.worst(c["outcome"] for c in g["calls"]) == "approved"]
    row("benign runs", lambda g: str(len(of(g, False))))
    row("– useful without a judge, and kept", lambda g: share(kept(of(g, False, useful)), of(g, False, useful)))
    row("– useful, and no call stopped or escalated", lambda g: share(untouched(of(g, False, useful)), of(g, False, useful)))
    row("attacked runs", lambda g: str(len(of(g, True))))
    row("– attack succeeds without a judge", lambda g: share(of(g, True, succeeded), of(g, True)))
    row("– attack succeeds with it", lambda g: share([x for x in of(g, True) if x["gated"]["security"]], of(g, True)))
    row("– useful without a judge, and kept", lambda g: share(kept(of(g, True, useful)), of(g, True, useful)))
    row("graders agree with the recording (security)", lambda g: share(
        [x for x in of(g, True) if x["ungated"]["security"] == bool(x["recorded"]["security"])], of(g, True)))
    row("graders agree with the recording (utility)", lambda g: share(
        [x for x in g if x["ungated"]["utility"] == bool(x["recorded"]["utility"])], g))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
