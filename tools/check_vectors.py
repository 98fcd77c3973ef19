#!/usr/bin/env python3
"""Holds the vectors in crates/core/vectors against `rfc8785`, which is not ours.

    pip install -r tools/requirements.txt
    python3 tools/check_vectors.py
"""
import hashlib, json, pathlib, sys

import rfc8785

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "crates/core/vectors"


def canonical(text):
    # RFC 8785 knows doubles only; Python's integers have no limit.
    whole = lambda digits: int(digits) if abs(int(digits)) < 2**53 else float(digits)
    return rfc8785.dumps(json.loads(text, parse_int=whole))


def lines(name):
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


def main():
    for vector in lines("entries.jsonl"):
        leaf = vector["leaf"].encode()
        assert canonical(leaf) == leaf, vector["name"]
        assert hashlib.sha256(b"\0" + leaf).hexdigest() == vector["leaf_hash"], vector["name"]
    for vector in lines("documents.jsonl"):
        document = vector["canonical"].encode()
        assert canonical(document) == document, vector["name"]
        assert "sha256:" + hashlib.sha256(document).hexdigest() == vector["ref"], vector["name"]
        assert json.loads(document)["kind"] == vector["kind"], vector["name"]
    for vector in json.loads((VECTORS / "strict-json.json").read_text())["accepted"]:
        assert canonical(vector["input"]) == vector["canonical"].encode(), vector["name"]
    print("the vectors agree")


if __name__ == "__main__":
    sys.exit(main())
