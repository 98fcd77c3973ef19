"""The conformance kit of agent-hooks 0.1 with `countersign hook agent-hooks` as the interceptor.

The kit tests hosts: its vectors script what interceptors return. Here its own reference host runs
them, and where the script of an interceptor says something that a policy can say (allow, deny or a
liftable deny of a tool), Countersign stands in its place, on a real server with a bundle that says
it. Everything that the vector expects of the run is then asserted by the kit. Reasons are ids of
policies, in which there is no colon: `ctk:x` becomes `ctk.x`.

Usage: conformance.py COUNTERSIGN [--least N]
Exit code 0 if all that applies passes and at least N vectors apply, over both transports.
"""

import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from agent_hooks import InterceptorResponse
from agent_hooks.ctk import runner
from agent_hooks.ctk.reference import ReferenceHarness

PATIENCE_S = 60


class Place:
    """A home directory with a server in it."""

    def __init__(self, binary, directory):
        self.binary = binary
        self.dir = pathlib.Path(directory)
        keep = {k: v for k, v in os.environ.items() if not k.startswith("COUNTERSIGN_")}
        home = {name: str(self.dir / name.lower()) for name in
                ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
        self.env = {**keep, **home, "USER": "jo"}
        self.dir.joinpath("home").mkdir()
        self.running = []
        self.start("serve", "--bundle", "allow-all", "--listen", "127.0.0.1:0")
        self.run("hook", "install", "agent-hooks")
        self.listener = self.start("hook", "agent-hooks", "--listen", "127.0.0.1:0")
        config = self.dir / "xdg_config_home/countersign/hooks/agent-hooks.toml"
        lines = config.read_text().splitlines()
        self.token = next(line.split('"')[1] for line in lines if line.startswith("listen = "))

    def start(self, *args):
        log = open(self.dir / f"{args[0]}.log", "ab")
        process = subprocess.Popen([self.binary, *args], env=self.env, cwd=self.dir,
                                   stdout=subprocess.PIPE, stderr=log, text=True)
        self.running.append(process)
        for line in process.stdout:
            if line.startswith("listening on "):
                return line.split()[2]
        raise SystemExit(f"{args} did not start: {(self.dir / f'{args[0]}.log').read_text()}")

    def run(self, *args, stdin=None):
        done = subprocess.run([self.binary, *args], env=self.env, cwd=self.dir, input=stdin,
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{args}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def over_stdin(self, context):
        return self.run("hook", "agent-hooks", stdin=context)

    def over_http(self, context):
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.listener, context.encode(), headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.read().decode()

    def put_in_force(self, name, tools, rules):
        """A bundle in which each tool has the verdict that the vector's script gives it."""
        bundle = self.dir / name
        for part in ("tools", "policies"):
            bundle.joinpath(part).mkdir(parents=True)
        bundle.joinpath("bundle.toml").write_text(
            f'name = "{name.lower()}"\ndescription = "What the vector says."\n')
        for tool in tools:
            bundle.joinpath("tools", f"{tool}.json").write_text(json.dumps({
                "tool": tool, "action": f"ctk.{tool}", "effect": "read", "description": "A tool.",
                "arguments": {"type": "object"}}))
        text = '@id("all")\n@reason("Allowed.")\npermit (principal, action, resource);\n'
        for number, (tool, verdict) in enumerate(rules):
            escalate = '@escalate("requester")\n' if "approval" in verdict else ""
            action = f'action == Action::"ctk.{tool}"' if tool else "action"
            text += (f'@id("{dotted(verdict.get("reason", f"rule-{number}"))}")\n'
                     f'@reason("The vector says so.")\n{escalate}'
                     f"forbid (principal, {action}, resource);\n")
        bundle.joinpath("policies/all.cedar").write_text(text)
        self.run("policy", "publish", str(bundle), "--activate")

    def stop(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(timeout=PATIENCE_S)


class Countersign:
    """The interceptor."""

    def __init__(self, transport):
        self.transport = transport
        self.verdicts = 0

    def intercept(self, context):
        text = self.transport(json.dumps(context, ensure_ascii=False))
        # The kit's own gate for what comes from another process: strict about members and types.
        InterceptorResponse.parse(text)
        self.verdicts += 1
        return json.loads(text)


def dotted(reason):
    return reason.replace(":", ".")


def rules_of(script):
    """What a policy would have to say; None if none can."""
    rules = []
    for rule in script:
        verdict = rule.get("return")
        match = rule.get("match", {})
        says = verdict is not None and set(verdict) <= {"decision", "reason", "approval"}
        if not says or rule["at"] != "pre_tool_call" or not set(match) <= {"tool_call.name"}:
            return None
        if verdict["decision"] == "deny":
            rules.append((match.get("tool_call.name"), verdict))
        elif verdict != {"decision": "allow"} or match:
            return None
    return rules


def applicable(vector):
    """Which of the vector's interceptors Countersign can stand for, and with what rules."""
    if "host_declaration" in vector or vector.get("identity_provider") == "ctk-fault":
        return None
    scripts = vector.get("interceptor_scripts")
    scripts = [vector["interceptor_script"]] if scripts is None else scripts
    for slot, script in enumerate(scripts):
        rules = rules_of(script)
        if rules is not None:
            return slot, rules
    return None


def renamed(value, reasons):
    """What is expected, with the reasons as ids of policies."""
    if isinstance(value, dict):
        return {key: renamed(item, reasons) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, reasons) for item in value]
    return dotted(value) if value in reasons else value


def run(vector, slot, interceptor):
    scripted = runner._Scripts.interceptor

    def interceptor_of(scripts, number):
        if number != slot:
            return scripted(scripts, number)
        if number != 0:
            return interceptor
        return runner.RecordingInterceptor(interceptor, recorded=scripts.recorded)

    runner._Scripts.interceptor = interceptor_of
    try:
        return runner.run_vectors(ReferenceHarness, [vector])[0]
    finally:
        runner._Scripts.interceptor = scripted


def main(binary, least):
    vectors = runner.load_vectors()
    failed = 0
    ran = set()
    verdicts = 0
    with tempfile.TemporaryDirectory() as directory:
        place = Place(binary, directory)
        try:
            for vector in vectors:
                found = applicable(vector)
                if found is None:
                    continue
                slot, rules = found
                reasons = {verdict["reason"] for _, verdict in rules if "reason" in verdict}
                vector = copy.deepcopy(vector)
                vector["expect"] = renamed(vector["expect"], reasons)
                tools = [tool["name"] for tool in vector["scenario"].get("tools", [])]
                place.put_in_force(vector["id"], tools, rules)
                for name, transport in (("stdin", place.over_stdin), ("http", place.over_http)):
                    interceptor = Countersign(transport)
                    result = run(vector, slot, interceptor)
                    verdicts += interceptor.verdicts
                    if result.status == "pass":
                        ran.add(vector["id"])
                    failed += result.status == "fail"
                    print(f"{result.status} {vector['id']} over {name}: {result.title}")
                    for failure in [result.detail, *result.failures]:
                        if failure:
                            print(f"     {failure}")
        finally:
            place.stop()
    print(f"{len(ran)} of {len(vectors)} vectors have an interceptor that a policy can stand for; "
          f"{failed} runs failed; {verdicts} verdicts of ours passed the kit's gate")
    return 0 if not failed and len(ran) >= least else 1


if __name__ == "__main__":
    arguments = sys.argv[1:]
    floor = 1
    if "--least" in arguments:
        at = arguments.index("--least")
        floor = int(arguments[at + 1])
        del arguments[at:at + 2]
    if len(arguments) != 1:
        sys.exit(__doc__)
    sys.exit(main(arguments[0], floor))
