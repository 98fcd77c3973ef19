"""A server of ours that litewitness cosigns while it decides.

    python live.py BIN COUNTERSIGN [--ml-dsa] [--wait-witnessed]

Begins a log, starts litewitness for it and then the server with the witness's policy, asks for
decisions, and reads at /log/.../checkpoint what the witness cosigned. Then the export is held
against the policy by our verifier, which must say `trusted`, and by torchwood; and litewitness's
cosignature of a later checkpoint must follow the earlier one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from with_witness import add_logs, litewitness, running

# How long the witness and the server have for a checkpoint, in seconds.
PATIENCE = 20


class Server:
    """`countersign serve`, and commands against it."""

    def __init__(self, binary: Path, home: Path) -> None:
        self.binary, self.home, self.url = binary, home, ""
        self.environment = os.environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}

    def run(self, *arguments: str, code: int = 0) -> str:
        command = [str(self.binary), *arguments]
        ran = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if ran.returncode != code:
            sys.exit(f"{' '.join(command)}: code {ran.returncode}\n{ran.stdout}{ran.stderr}")
        return ran.stdout

    def asked(self, *arguments: str, code: int = 0) -> str:
        return self.run("--server", self.url, *arguments, code=code)

    def decide(self, round_: int) -> None:
        """A turn, and a call in its name that is approved."""
        turn = self.asked("turn", f"Write to billing-{round_}@customer.example").strip()
        args = {"to": [f"billing-{round_}@customer.example"], "subject": "s", "body": "b"}
        self.asked("decide", "email.send", json.dumps(args), "--intent", turn)

    def checkpoint(self, prefix: str) -> str:
        with urllib.request.urlopen(f"{self.url}{prefix}/checkpoint") as answer:
            return answer.read().decode()


def cosigned(server: Server, prefix: str, witness: str, beyond: int) -> tuple[int, str]:
    """The first published checkpoint larger than `beyond` that has the witness's cosignature."""
    until = time.monotonic() + PATIENCE
    while True:
        text = server.checkpoint(prefix)
        size = int(text.split("\n")[1])
        if size > beyond and f"\u2014 {witness} " in text:
            return size, text
        if time.monotonic() > until:
            sys.exit(f"no cosigned checkpoint beyond size {beyond}; the newest is\n{text}")
        time.sleep(0.1)


def play(arguments: argparse.Namespace, scratch: Path) -> None:
    binaries, binary = arguments.bin.absolute(), arguments.countersign.absolute()
    server = Server(binary, scratch)
    data = scratch / "data"
    server.run("init", "--data", str(data), *(["--ml-dsa"] if arguments.ml_dsa else []))
    keys = json.loads(server.run("key", "list", "--data", str(data), "--json"))
    vkeys = [key["key"] for key in keys["keys"] if key["purpose"] in ("log", "log-mldsa")]
    origin = keys["origin"]
    prefix = "/log/" + "/".join(origin.split("/")[-2:])
    with litewitness(binaries, [], scratch) as (url, vkey):
        add_logs(scratch / "witness.db", vkeys)
        logs = "".join(f"log {key}\n" for key in vkeys)
        policy = scratch / "policy"
        policy.write_text(f"{logs}witness lite {vkey} {url}\nquorum lite\n")
        command = [str(binary), "serve", "--data", str(data), "--listen", "127.0.0.1:0", "--json"]
        command += ["--witness-policy", str(policy), "--require-witness"]
        if arguments.wait_witnessed:
            command += ["--wait", "witnessed"]
        said = scratch / "serve.txt"

        def listening() -> bool:
            for line in said.read_text().splitlines():
                if line.startswith('{"event":"listening"'):
                    server.url = json.loads(line)["url"]
            return bool(server.url)

        os.environ.update(server.environment)
        with running(command, said, listening):
            size, witness = 0, vkey.split("+")[0]
            for round_ in range(1, 4):
                for n in range(5):
                    server.decide(10 * round_ + n)
                size, text = cosigned(server, prefix, witness, size)
                print(f"size {size}: cosigned by {witness} and served, {text.count(chr(0x2014))} signatures")
            # What is exported is what was published: the cosigned checkpoint.
            (scratch / "cosigned").write_text(text)
            live = server.url + prefix
            said = server.run("verify", live, "--policy", str(policy), "--root-key", keys["root_key"])
            print(f"countersign verify {prefix} --policy: {said.splitlines()[0]}")
            if not said.startswith("trusted"):
                sys.exit(said)
        checked = [str(binaries / "torchwood"), "policy", str(policy), str(scratch / "cosigned")]
        print("torchwood: " + subprocess.run(checked, check=True, capture_output=True, text=True).stdout.strip())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=Path)
    parser.add_argument("countersign", type=Path)
    parser.add_argument("--ml-dsa", action="store_true")
    parser.add_argument("--wait-witnessed", action="store_true")
    with tempfile.TemporaryDirectory(prefix="live-") as scratch:
        play(parser.parse_args(), Path(scratch))


if __name__ == "__main__":
    main()
