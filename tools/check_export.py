#!/usr/bin/env python3
"""A second checker of an exported ledger. It shares no code with Countersign: only the formats in
docs/wire-format.md, `cryptography` for Ed25519 and `rfc8785` for canonical JSON.

    pip install -r tools/requirements.txt
    python3 tools/check_export.py DIR VKEY [--checkpoint FILE] [--root-key VKEY] [--allow-unanchored]

Prints `trusted`, `unanchored` or `failed`; exit codes 0, 4 (0 if allowed) and 1; 3 if two signed heads
contradict each other; 2 for usage or I/O. It checks less than `countersign verify`: see its findings.
"""
import argparse, base64, hashlib, json, pathlib, sys

try:
    import rfc8785
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError as missing:
    print(f"{missing}; what is needed: pip install -r tools/requirements.txt", file=sys.stderr)
    sys.exit(2)

# What a session's end counts, by the kind of entry.
COUNTED = {"intent": "turns", "decision": "decisions", "execution": "executions"}
KINDS = {"intent_ref": "intent", "call_ref": "call", "facts_ref": "facts", "reasoning_ref": "reasoning",
         "result_ref": "result", "changeset_ref": "changeset", "purpose_ref": "statement",
         "authority_ref": "statement", "shown_ref": "statement"}
sha256 = lambda data: hashlib.sha256(data).digest()
ref = lambda data: "sha256:" + sha256(data).hex()
node = lambda left, right: sha256(b"\x01" + left + right)


class Failed(Exception):
    code = 1


class Contradiction(Failed):
    code = 3


def need(holds, *what):
    if not holds:
        raise Failed(" ".join(map(str, what)))


def key_text(given):
    """A verifier key, or what stands in the file of this name."""
    if given.count("+") >= 2:
        return given
    try:
        return pathlib.Path(given).read_text().strip()
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"neither a verifier key nor a file that holds one: {error}")


def public_key(vkey):
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key, validate=True)
    need(len(key) == 33 and key[0] == 1, "the key is not an Ed25519 verifier key")
    need(sha256(name.encode() + b"\n" + key)[:4].hex() == key_id, "the key's id is not that of the key")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(key[1:])


def signed(public, signature, message, what):
    try:
        public.verify(signature, message)
    except InvalidSignature:
        raise Failed("a signature that does not fit:", what)


def checkpoint(note, vkey):
    """C2SP signed-note and tlog-checkpoint: the size and root, if the key has signed them."""
    name, key_id, public = public_key(vkey)
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    ours = [base64.b64decode(line.split(" ")[2]) for line in lines.splitlines() if line.startswith(f"— {name} ")]
    ours = [line[4:] for line in ours if line[:4] == key_id]
    need(ours, "no signature of the given key on the checkpoint")
    for signature in ours:
        signed(public, signature, text.encode(), "checkpoint")
    origin, size, root = text.split("\n")[:3]
    need(origin == name, "the checkpoint is of", origin, "and not of", name)
    return int(size), base64.b64decode(root, validate=True)


def tile(directory, kind, index, width):
    name = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        name = f"x{index % 1000:03}/{name}"
    path = directory / "tile" / kind / (name if width == 256 else f"{name}.p/{width}")
    need(path.is_file(), "a missing tile:", path)
    return path.read_bytes()


def read_leaves(directory, size):
    leaves = []
    for start in range(0, size, 256):
        data, count = tile(directory, "entries", start // 256, min(256, size - start)), 0
        while data:
            length = int.from_bytes(data[:2], "big")
            need(len(data) >= 2 + length, "a bundle that ends within entry", start + count)
            leaves.append(data[2:2 + length])
            data, count = data[2 + length:], count + 1
        need(len(leaves) == min(start + 256, size), "a bundle with another number of entries, at", start)
    return leaves


def root_of(hashes):
    """RFC 6962 section 2.1: the last node of a level without a sibling rises as it is."""
    while len(hashes) > 1:
        pairs = [node(a, b) for a, b in zip(hashes[::2], hashes[1::2])]
        hashes = pairs + hashes[len(pairs) * 2:]
    return hashes[0] if hashes else sha256(b"")


def check_hash_tiles(directory, nodes):
    level = 0
    while nodes:
        for start in range(0, len(nodes), 256):
            some = nodes[start:start + 256]
            need(tile(directory, str(level), start // 256, len(some)) == b"".join(some),
                 f"tile/{level}/{start // 256} holds other hashes than the leaves give")
        nodes = [root_of(nodes[n:n + 256]) for n in range(0, len(nodes) // 256 * 256, 256)]
        level += 1


def check_entries(leaves, origin, root_key):
    """Form, order, genesis, and the bundle in force: what can be said leaf by leaf."""
    last, ids, parts, stored, named, sessions, root = "", set(), {}, {}, {}, {}, None
    in_force = in_shadow = None
    for index, leaf in enumerate(leaves):
        entry = json.loads(leaf)
        need(rfc8785.dumps(entry) == leaf, "entry", index, "is not canonical JSON")
        kind = entry["kind"]
        need(entry["v"] == 1 and last <= entry["timestamp"], "entry", index, "goes back in time")
        need(entry["entry_id"] not in ids, "entry", index, "has the id of an earlier one")
        last, _ = entry["timestamp"], ids.add(entry["entry_id"])
        need((kind == "genesis") == (index == 0), "entry", index, "is a", kind)
        if kind == "genesis":
            need(entry["origin"] == origin, "the genesis is of another origin:", entry["origin"])
            need(root_key in (None, entry["root_key"]), "the genesis has another root key")
            root = public_key(entry["root_key"])[2]
        if kind in ("genesis", "key"):
            own = {m: v for m, v in entry.items() if m not in ("v", "kind", "entry_id", "timestamp", "signature")}
            message = f"countersign/{kind}/v1\n{origin}\n".encode() + rfc8785.dumps(own)
            signed(root, base64.urlsafe_b64decode(entry["signature"] + "=="), message, f"entry {index}")
        if kind == "part":
            content = base64.b64decode(entry["bytes"], validate=True)
            parts[ref(content)] = content
        if kind == "policy" and entry["phase"] == "stored":
            stored[entry["policy_ref"]] = entry["parts"]
        if kind == "policy" and entry["phase"] == "in-force":
            need(entry["previous"] == in_force, "entry", index, "follows another bundle")
            in_force = entry["policy_ref"]
            content = b"".join(parts.get(part, b"?") for part in stored.get(in_force, []))
            need(ref(content) == in_force, "entry", index, "puts a bundle in force that the log does not hold")
        if kind == "policy" and entry["phase"] in ("shadow", "shadow-end"):
            in_shadow = entry["policy_ref"] if entry["phase"] == "shadow" else None
            need(in_shadow is None or in_shadow in stored, "entry", index, "puts a bundle in shadow that the log does not hold")
        if kind == "decision":
            judges, what = (in_shadow, "in shadow") if entry["mode"] == "shadow" else (in_force, "in force")
            need(entry["policy_ref"] == judges, "entry", index, "was not judged under the bundle", what)
            need(entry["mode"] == "enforced" or not entry["counts"], "entry", index, "counts in shadow")
        check_session(sessions, index, entry)
        named.update({entry[m]: (index, k) for m, k in KINDS.items() if entry.get(m)})
    return named


def check_session(held, index, entry):
    """A session's end says how much there was in it since the end before."""
    kind, session = entry["kind"], entry.get("session")
    if kind in COUNTED and session and entry.get("mode") != "shadow":
        of_session = held.setdefault(session, dict.fromkeys(COUNTED.values(), 0))
        of_session[COUNTED[kind]] += 1
    if kind == "session-close":
        there = held.pop(session, dict.fromkeys(COUNTED.values(), 0))
        need(all(entry[m] == n for m, n in there.items()), "entry", index, "does not count what its session held:", there)


def check_documents(directory, named):
    for path in sorted((directory / "documents").glob("*.json")):
        name, content = "sha256:" + path.stem, path.read_bytes()
        need(ref(content) == name, path.name, "does not hash to its name")
        index, kind = named.get(name, (None, None))
        need(kind in (None, json.loads(content)["kind"]), path.name, "is not what entry", index, "names")


def check(args):
    vkey, directory = args.vkey, args.directory
    size, root = checkpoint((directory / "checkpoint").read_text(), vkey)
    held, held_root = checkpoint(args.held.read_text(), vkey) if args.held else (0, None)
    need(held <= size, "the log has", size, "entries, the checkpoint that you hold has", held)
    if held == size and held_root not in (None, root):
        raise Contradiction("the checkpoint that you hold has another root at the same size")
    leaves = read_leaves(directory, size)
    hashes = [sha256(b"\x00" + leaf) for leaf in leaves]
    need(root_of(hashes) == root, "the leaves do not hash to the checkpoint's root")
    if held and root_of(hashes[:held]) != held_root:
        raise Contradiction("the log does not begin as the checkpoint that you hold")
    check_hash_tiles(directory, hashes)
    need(leaves, "the log has no genesis")
    check_documents(directory, check_entries(leaves, vkey.split("+")[0], args.root_key))
    return held, size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("vkey", type=key_text, help="the log's verifier key, or a file that holds it")
    parser.add_argument("--checkpoint", dest="held", type=pathlib.Path, help="one that you got earlier and kept")
    parser.add_argument("--root-key")
    parser.add_argument("--allow-unanchored", action="store_true")
    args = parser.parse_args()
    try:
        held, size = check(args)
    except Failed as failed:
        print("failed:", failed)
        return failed.code
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        print("failed: what does not have the form of a log:", repr(error))
        return 1
    if held == size:
        print(f"trusted: entries 0-{size - 1}")
        return 0
    print(f"unanchored: entries {held}-{size - 1}" + (f"; trusted: entries 0-{held - 1}" if held else ""))
    return 0 if args.allow_unanchored else 4


if __name__ == "__main__":
    sys.exit(main())
