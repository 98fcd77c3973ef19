"""A real server in a directory of its own, and the clients of the three roles that a run needs."""

import http.client
import json
import os
import pathlib
import subprocess
import tempfile
import threading

# The credentials of a first start speak for this actor and those below it.
ACTOR = "agent:local/bench-agentdojo"
PRINCIPAL = "user:bench@countersign.invalid"
START_S = 30
REQUEST_S = 60


class ServerError(Exception):
    """The server could not be started, or an answer was none that the benchmark can go on with."""


class Server:
    """`countersign serve` on a free port, as a context."""

    def __init__(self, binary, bundle):
        self._binary, self._bundle = binary, bundle

    def __enter__(self):
        self._scratch = tempfile.TemporaryDirectory(prefix="countersign-bench-")
        root = pathlib.Path(self._scratch.name)
        env = {k: v for k, v in os.environ.items() if not k.startswith("COUNTERSIGN_")}
        env["COUNTERSIGN_PROFILE"] = str(root / "profile.toml")
        data = ["--data", str(root / "data")]
        begun = subprocess.run(
            [self._binary, "init", *data, "--bundle", str(self._bundle), "--json"],
            env=env, capture_output=True, text=True, check=False,
        )
        if begun.returncode != 0:
            raise ServerError(begun.stderr.strip())
        self.tokens = {c["name"]: c["token"] for c in json.loads(begun.stdout)["credentials"]}
        self._log = open(root / "log", "w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [self._binary, "serve", *data, "--listen", "127.0.0.1:0", "--json",
             "--rate-per-s", "0", "--log-level", "warn"],
            env=env, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )
        watchdog = threading.Timer(START_S, self._process.kill)
        watchdog.start()
        for line in self._process.stdout:
            found = _address(line)
            if found:
                watchdog.cancel()
                self.address = found
                # Nobody reads on, and a full pipe would stop the server.
                threading.Thread(target=self._process.stdout.read, daemon=True).start()
                return self
        watchdog.cancel()
        self._log.seek(0)
        raise ServerError(f"the server did not start: {self._log.read().strip()}")

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(timeout=START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()
        self._scratch.cleanup()

    def client(self, role):
        return Client(self.address, self.tokens[role])


class Client:
    """One connection that is kept, with one credential."""

    def __init__(self, address, token):
        self._connection = http.client.HTTPConnection(address, timeout=REQUEST_S)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path, body):
        return self._ask("POST", path, json.dumps(body, ensure_ascii=False).encode())

    def get(self, path, headers=None):
        return self._ask("GET", path, None, headers)

    def _ask(self, method, path, body, headers=None):
        self._connection.request(method, path, body, {**self._headers, **(headers or {})})
        response = self._connection.getresponse()
        answer = json.loads(response.read() or b"null")
        if response.status >= 300:
            raise ServerError(f"{method} {path}: {response.status}: {json.dumps(answer)[:400]}")
        return answer


class Session:
    """One run's turn and what follows from it."""

    def __init__(self, server, local):
        self._server = server
        for role in ("ingress", "agent", "tool"):
            if not hasattr(local, role):
                setattr(local, role, server.client(role))
        self._local = local

    def begin(self, name, turn):
        self._name = name
        answer = self._local.ingress.post("/v1/turns", {
            "principal": PRINCIPAL,
            "channel": "bench",
            "session": name,
            "actors": [ACTOR],
            "parts": [{"by": "principal", "text": turn}],
        })
        self._intent = answer["intent_ref"]

    def ask(self, tool, args):
        """The verdict: outcome, ids of the reasons, the entry's id."""
        answer = self._local.agent.post("/v1/decisions", {
            "tool": tool,
            "args": args,
            "actor": ACTOR,
            "intent_ref": self._intent,
            "session": self._name,
        })
        return answer["outcome"], [reason["id"] for reason in answer["reasons"]], answer["entry_id"]

    def facts(self, entry):
        """Each traced value of a decision: where it stands, what it is, its sources, where it was named."""
        if not hasattr(self._local, "reader"):
            self._local.reader = self._server.client("vault-reader")
        explained = self._local.reader.get(f"/v1/entries/{entry}/explain?purpose=benchmark")
        facts = explained["facts"].get("document", {})
        traced = [*facts.get("targets", []), *facts.get("values", [])]
        return [[t["at"], t["value"], t["sources"], t.get("named_in", [])] for t in traced]

    def report(self, entry, result, failed):
        self._local.tool.post("/v1/executions", {
            "decision": entry,
            "phase": "finished",
            "result": result,
            "is_error": failed,
        })


def _address(line):
    try:
        said = json.loads(line)
    except ValueError:
        return None
    for value in said.values() if isinstance(said, dict) else ():
        if isinstance(value, str) and value.startswith("http://"):
            return value.removeprefix("http://").rstrip("/")
    return None
