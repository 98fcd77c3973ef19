"""Executes AgentDojo's ground truths without a model and sends each call through a real server.

A turn is registered with an ingress credential, each call is asked for with an agent's, and what the tool
returned is reported with a tool's: for approved calls, as nothing else may have run. The ground truth itself
goes on after a verdict that is no approval, without that result being reported.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import sys
import threading
import time

import recorded
import scores
import worlds
from server import Server, ServerError, Session

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# The suites that the bundle is for; --suite and --bundle take others.
SUITES = ("workspace", "slack")
SMOKE_TASKS = 4


def main():
    options = arguments()
    manifests = read_manifests(options.bundle)
    with Server(options.binary, options.bundle) as server:
        judge = Judge(server, options)
        if options.recorded:
            return recorded.report(judge, options, manifests)
        return bench(judge, options, manifests)


def arguments():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    default = os.environ.get("COUNTERSIGN_BINARY", str(target / "debug" / "countersign"))
    parser = argparse.ArgumentParser(prog="run", description=__doc__.split("\n\n")[0])
    parser.add_argument("--suite", action="append", metavar="NAME", help="this suite (may be repeated) instead of workspace and slack")
    parser.add_argument("--bundle", type=pathlib.Path, default=ROOT / "examples" / "agentdojo" / "bundle")
    parser.add_argument("--binary", default=default, help="the program `countersign`")
    parser.add_argument("--jobs", type=int, default=4, help="runs at the same time")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write every verdict and the figures")
    parser.add_argument("--misses", action="store_true", help="explain each call that is a miss")
    parser.add_argument("--recorded", type=pathlib.Path, metavar="FILE", help="instead, recorded runs of models")
    parser.add_argument("--limit", type=int, metavar="N", help="of recorded runs: the first N")
    parser.add_argument("--smoke", action="store_true", help="only a few tasks of each suite")
    options = parser.parse_args()
    options.suite = options.suite or list(SUITES)
    return options


def read_manifests(bundle):
    tools = {}
    for path in sorted((bundle / "tools").glob("*.json")):
        read = json.loads(path.read_text(encoding="utf-8"))
        for manifest in read if isinstance(read, list) else [read]:
            tools[manifest["tool"]] = manifest
    return tools


def roles_of(manifest):
    """The roles of a tool's arguments by pointer; a target is an identity without saying so."""
    roles = dict(manifest.get("roles", {}))
    effects = [manifest, *manifest.get("effects", [])]
    for target in (target for effect in effects for target in effect.get("targets", [])):
        # `$.people[*].email` is `/people/email`: below a list, a pointer goes on without an index.
        at = target["at"].removeprefix("$").replace("[*]", "").replace(".", "/")
        roles[at] = "identity"
    return roles


def bench(judge, options, manifests):
    roles = {tool: roles_of(manifest) for tool, manifest in manifests.items()}
    benign, attacks = [], []
    for name in options.suite:
        world = worlds.World(name)
        for n, user_task in enumerate(world.user_tasks()):
            if options.smoke and n >= SMOKE_TASKS:
                break
            benign.append(world.benign(user_task))
            for injection_task in world.injection_tasks():
                calls = world.injected(user_task, injection_task)
                plain = world.attack(user_task, injection_task)
                if plain and any(scores.is_sink(manifests, call.function) for call in calls):
                    values = worlds.needed(calls, roles)
                    attacks.append((plain, world.adaptive(user_task, injection_task, values)))
    every = [*benign, *(run for plain, adaptive in attacks for run in (plain, *adaptive))]
    judged = dict(zip(map(id, every), judge.all(every)))
    of_suite = {name: scores.Score() for name in options.suite}
    total = scores.Score()
    for run in benign:
        for score in (of_suite[run.suite], total):
            score.benign(judged[id(run)])
    for plain, adaptive in attacks:
        for score in (of_suite[plain.suite], total):
            score.attack(judged[id(plain)], [judged[id(run)] for run in adaptive], manifests)
    named = {**of_suite, "both": total} if len(of_suite) > 1 else of_suite
    print(scores.table(named), end="\n\n")
    if options.misses:
        print()
        misses([judged[id(run)] for run in every], manifests)
    if options.json:
        document = {
            "agentdojo": worlds.VERSION,
            "figures": {name: score.document() for name, score in named.items()},
            "runs": [judged[id(run)] for run in every],
        }
        options.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if scores.aims(total) else 1


class Judge:
    """Sends runs through the server, several at a time."""

    def __init__(self, server, options):
        self._server, self._options = server, options
        self._local = threading.local()
        self._count = 0
        self._lock = threading.Lock()

    def all(self, runs, play=None):
        """The verdicts on each run, in the order of the runs."""
        self._count, total, begun = 0, len(runs), time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(self._options.jobs) as pool:
            futures = [pool.submit(play or self.play, run, n) for n, run in enumerate(runs)]
            try:
                for future in concurrent.futures.as_completed(futures):
                    future.result()
                    self._count += 1
                    if sys.stderr.isatty() or self._count in (total, total // 2):
                        print(f"\r{self._count} of {total} runs, {time.monotonic() - begun:.0f} s", end="", file=sys.stderr)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        print(file=sys.stderr)
        return [future.result() for future in futures]

    def session(self, name, turn):
        session = Session(self._server, self._local)
        session.begin(name, turn)
        return session

    def play(self, run, n):
        """One run of a ground truth."""
        session = self.session(f"run-{n}", run.turn)
        calls = []
        for call in run.calls():
            outcome, reasons, entry = session.ask(call.function, call.args)
            result, failed = run.execute(call)
            if outcome == "approved":
                session.report(entry, result, failed)
            calls.append({
                "origin": call.origin, "tool": call.function, "args": call.args,
                "outcome": outcome, "reasons": reasons,
            })
            if self._options.misses and is_miss(call.origin, outcome):
                calls[-1]["facts"] = session.facts(entry)
        return {
            "suite": run.suite, "user_task": run.user_task, "injection_task": run.injection_task,
            "vectors": run.vectors, "turn": run.turn, "calls": calls,
        }


def is_miss(origin, outcome):
    return (origin == "user") != (outcome == "approved")


def misses(judged, manifests):
    """Says of each user task that was not left alone, and each attack that is through, why."""
    said = set()
    for run in judged:
        if run["injection_task"] is None:
            origin, missed = "user", scores.user_outcome(run) != "approved"
        else:
            origin, missed = "injection", scores.attack_outcome(run, manifests) == "approved"
        key = (run["suite"], run["user_task"], run["injection_task"])
        if not missed or key in said:
            continue
        said.add(key)
        task = " ".join(filter(None, key))
        print(f"{task}: {run['turn']}")
        for text in sorted(set(run["vectors"].values())):
            print(f"    injected: {json.dumps(text, ensure_ascii=False)[:160]}")
        for call in run["calls"]:
            if "facts" in call and call["origin"] == origin:
                args = json.dumps(call["args"], ensure_ascii=False)
                print(f"    {call['outcome']}: {call['tool']} {args[:300]}")
                print(f"        {', '.join(call['reasons'])}")
                for at, value, sources, named_in in call["facts"]:
                    where = f" (named in {', '.join(named_in)})" if named_in else ""
                    print(f"        {at} = {value[:80]}: {', '.join(sources)}{where}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ServerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
