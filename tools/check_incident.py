#!/usr/bin/env python3
"""A second checker of the folder of one incident (`countersign export incident`). It shares no code with Countersign: only the formats in
docs/evidence.md, `cryptography` for Ed25519 and `rfc8785` for canonical JSON.

    pip install -r tools/requirements.txt
    python3 tools/check_incident.py DIR VKEY [--checkpoint FILE] [--allow-unanchored]

Prints `trusted`, `unanchored` or `failed`; exit codes 0, 4 (0 if allowed) and 1; 3 if two signed heads contradict each other; 2 for usage
or I/O. It checks that every file is the one that the manifest lists, that every entry is in the tree of the checkpoint, and that bundles and
opened records are what the entries name. It judges nothing again.
"""
import argparse, base64, json, pathlib, sys

from check_export import KINDS, Contradiction, Failed, checkpoint, key_text, need, node, ref, rfc8785, sha256

OWN = {"manifest.json", "SHA256SUMS"}
TOP = OWN | {"README.md", "checkpoint", "records.json", "report.html", "report.md", "tlog-policy"}
DIRECTORIES = {"entries", "proofs", "bundles", "documents"}


def files_of(directory):
    """All but the hidden ones that file managers leave behind."""
    paths = (path for path in directory.rglob("*") if not path.is_dir())
    named = {path.relative_to(directory).as_posix(): path for path in paths}
    return {name: path for name, path in named.items() if not any(part.startswith(".") for part in name.split("/"))}


def has_place(name):
    directory, slash, rest = name.partition("/")
    return name in TOP or (slash and directory in DIRECTORIES and "/" not in rest)


def check_manifest(directory):
    """Every file is listed with its digest, in both lists, and nothing else lies here."""
    manifest = json.loads((directory / "manifest.json").read_text())
    need(manifest["format"] == "countersign-evidence/1", "another format:", manifest["format"])
    found = files_of(directory)
    need(set(found) - OWN == set(manifest["files"]), "other files than the manifest lists:",
         sorted((set(found) - OWN) ^ set(manifest["files"])))
    for name, digest in manifest["files"].items():
        need(has_place(name), name, "has no place in such a folder")
        need(found[name].is_file() and not found[name].is_symlink(), name, "is no regular file")
        need(ref(found[name].read_bytes()) == digest, name, "is not the file that the manifest lists")
    sums = "".join(f"{sha256(found[name].read_bytes()).hex()}  {name}\n" for name in sorted(set(found) - {"SHA256SUMS"}))
    need(found["SHA256SUMS"].read_text() == sums, "SHA256SUMS says otherwise")
    return manifest


def root_by(path, leaf, index, size):
    """RFC 9162 section 2.1.3.2: where an inclusion path leads."""
    fn, sn, found = index, size - 1, sha256(b"\x00" + leaf)
    need(index < size, "an index beyond the tree")
    for sibling in path:
        need(sn > 0, "a path that is too long")
        if fn & 1 or fn == sn:
            found = node(sibling, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "a path that is too short")
    return found


def check_entries(directory, manifest, note, size, root):
    """C2SP tlog-proof: each entry is in the tree, at its place."""
    entries, last = {}, ""
    for listed in manifest["entries"]:
        stem = f"{listed['index']:08}-{listed['entry_id']}"
        leaf = (directory / "entries" / f"{stem}.json").read_bytes()
        proof = (directory / "proofs" / f"{stem}.tlog-proof").read_text()
        head, _, signed = proof.partition("\n\n")
        form, index, *path = head.split("\n")
        need(form == "c2sp.org/tlog-proof@v1" and index == f"index {listed['index']}", stem, "has a proof of something else")
        need(signed == note, stem, "is proven against another checkpoint")
        path = [base64.b64decode(line, validate=True) for line in path]
        need(root_by(path, leaf, listed["index"], size) == root, stem, "is not in the tree of the checkpoint")
        entry = json.loads(leaf)
        need(rfc8785.dumps(entry) == leaf and entry["entry_id"] == listed["entry_id"] and entry["kind"] == listed["kind"],
             stem, "is not what the manifest lists")
        need(last <= entry["timestamp"], stem, "goes back in time")
        last = entry["timestamp"]
        entries[listed["index"]] = entry
    for below in ("entries", "proofs"):
        found = [path for path in (directory / below).iterdir() if not path.name.startswith(".")]
        need(len(entries) == len(found), "other", below, "than those of the entries that the manifest lists")
    need(entries, "no entries")
    return entries


def check_named(directory, entries):
    """Bundles and records are what the entries name."""
    stored = {entry["policy_ref"] for entry in entries.values() if entry["kind"] == "policy" and entry["phase"] == "stored"}
    for entry in entries.values():
        if entry["kind"] == "decision":
            policy = entry["policy_ref"]
            bundle = (directory / "bundles" / f"{policy.removeprefix('sha256:')}.json").read_bytes()
            need(ref(bundle) == policy and policy in stored, "decision", entry["entry_id"], "names a bundle that is not here or not in the log")
    turns = {member: "intent" for member in ("claimed_intent_ref", "parent", "mandate", "turn")}
    kinds = {entry[member]: kind for entry in entries.values() for member, kind in (turns | KINDS).items() if entry.get(member)}
    for path in sorted((directory / "documents").glob("[!.]*")):
        name, content = "sha256:" + path.stem, path.read_bytes()
        need(ref(content) == name, path.name, "does not hash to its name")
        need(name in kinds, path.name, "is named by no entry")
        need(kinds[name] == json.loads(content)["kind"], path.name, "is of another kind than the entry says that names it")


def check(args):
    directory, vkey = args.directory, args.vkey
    manifest = check_manifest(directory)
    note = (directory / "checkpoint").read_text()
    size, root = checkpoint(note, vkey)
    need(manifest["size"] == size and manifest["origin"] == vkey.split("+")[0], "the manifest is of another checkpoint")
    entries = check_entries(directory, manifest, note, size, root)
    check_named(directory, entries)
    held, held_root = checkpoint(args.held.read_text(), vkey) if args.held else (None, None)
    if held == size and held_root != root:
        raise Contradiction("the checkpoint that you hold has another root at the same size")
    return len(entries), size, held == size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("vkey", type=key_text, help="the log's verifier key, or a file that holds it")
    parser.add_argument("--checkpoint", dest="held", type=pathlib.Path, help="one of the same size that you got earlier and kept")
    parser.add_argument("--allow-unanchored", action="store_true")
    args = parser.parse_args()
    try:
        count, size, is_held = check(args)
    except Failed as failed:
        print("failed:", failed)
        return failed.code
    except FileNotFoundError as error:
        print("failed: a missing file:", error.filename)
        return 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        print("failed: what does not have the form of such a folder:", repr(error))
        return 1
    print(f"{'trusted' if is_held else 'unanchored'}: {count} entries of a log of {size}")
    return 0 if is_held or args.allow_unanchored else 4


if __name__ == "__main__":
    sys.exit(main())
