"""Runs a witness that knows some logs, and a command against it.

    python with_witness.py (--lite BIN | --ours COUNTERSIGN) --log VKEYFILE... -- COMMAND...

`--lite` is torchwood's litewitness, found in BIN, with an ssh-agent of its own; `--ours` is
`countersign witness serve`. Both begin with a fresh key and know nothing of the logs' past. In the
command's arguments `{url}` and `{vkey}` are the witness's. Ends with the command's code.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NAME = "witness.example/w1"
# How long a process has to come up, in seconds.
PATIENCE = 20


@contextlib.contextmanager
def running(command: list[str], said: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """A process, once it is ready; it is ended afterwards."""
    with said.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + PATIENCE
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                sys.exit(f"`{command[0]}` did not come up:\n{said.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def add_logs(database: Path, vkeys: list[str]) -> None:
    """What `witnessctl add-log` and `add-key` do. They cannot be built where the module proxy does
    not serve sigsum.org, whose code they need for logs of that kind."""
    empty = base64.b64encode(hashlib.sha256(b"").digest()).decode()
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        for vkey in vkeys:
            origin = vkey.split("+")[0]
            db.execute(
                "INSERT OR IGNORE INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)",
                (origin, empty),
            )
            db.execute("INSERT INTO key (origin, key) VALUES (?, ?)", (origin, vkey))


@contextlib.contextmanager
def litewitness(binaries: Path, vkeys: list[str], scratch: Path) -> Iterator[tuple[str, str]]:
    """torchwood's witness: its URL and its vkey."""
    key, agent, database = scratch / "key", scratch / "agent", scratch / "witness.db"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    shown = ["ssh-keygen", "-l", "-f", key]
    shown = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
    port = free_port()
    said = scratch / "litewitness.txt"
    command = [
        *(str(binaries / "litewitness"), "-db", str(database), "-name", NAME),
        *("-key", shown.split()[1], "-ssh-agent", str(agent), "-listen", f"127.0.0.1:{port}"),
    ]

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    with running(["ssh-agent", "-D", "-a", str(agent)], scratch / "agent.txt", agent.exists):
        environment = os.environ | {"SSH_AUTH_SOCK": str(agent)}
        subprocess.run(["ssh-add", "-q", key], check=True, env=environment)
        with running(command, said, listens):
            add_logs(database, vkeys)
            vkey = re.search(r'vkey="?([^\s"]+)', said.read_text())
            if vkey is None:
                sys.exit(f"litewitness does not say its vkey:\n{said.read_text()}")
            yield f"http://127.0.0.1:{port}", vkey[1]


@contextlib.contextmanager
def our_witness(binary: Path, vkeys: list[str], scratch: Path) -> Iterator[tuple[str, str]]:
    """`countersign witness serve`: its URL and its vkey."""
    data, said = scratch / "witness", scratch / "witness.txt"
    made = [str(binary), "witness", "init", "--data", str(data), "--name", NAME, "--json"]
    made = subprocess.run(made, check=True, capture_output=True, text=True).stdout
    command = [str(binary), "witness", "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    for vkey in vkeys:
        command += ["--log", vkey]

    def listening() -> dict | None:
        for line in said.read_text().splitlines():
            if line.startswith('{"event":"listening"'):
                return json.loads(line)
        return None

    with running([*command, "--json"], said, lambda: listening() is not None):
        yield listening()["url"].rstrip("/"), json.loads(made)["verifier_key"]


def main() -> None:
    parser = argparse.ArgumentParser()
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--lite", type=Path, metavar="BIN")
    kind.add_argument("--ours", type=Path, metavar="COUNTERSIGN")
    parser.add_argument("--log", type=Path, action="append", default=[])
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    vkeys = sorted({line for file in arguments.log for line in file.read_text().split()})
    # The socket of the ssh-agent must have a short path.
    with tempfile.TemporaryDirectory(prefix="w-") as scratch:
        if arguments.lite:
            started = litewitness(arguments.lite, vkeys, Path(scratch))
        else:
            started = our_witness(arguments.ours, vkeys, Path(scratch))
        with started as (url, vkey):
            command = [
                part.replace("{url}", url).replace("{vkey}", vkey) for part in arguments.command
            ]
            code = subprocess.run(command).returncode
    sys.exit(code)


if __name__ == "__main__":
    main()
