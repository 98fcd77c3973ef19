#!/usr/bin/env python3
"""Opens a file that `countersign vault export` made, and checks it. It shares no code with Countersign:
only docs/vault-export.md, Python's standard library, and `cryptography` for X25519, Ed25519 and
ChaCha20-Poly1305. RFC 9180 is written out below.

    pip install cryptography
    python3 tools/unseal.py FILE --recipient-key KEYFILE --key VKEY [--checkpoint FILE] [--out DIR]

Prints `trusted`, `unanchored` or `failed` and, with --out, writes each document that holds to
DIR/<64 hex digits>.json; exit codes 0, 4 (0 with --allow-unanchored) and 1; 3 if the log's key has signed
two roots for one size; 2 for usage or I/O. `countersign vault unseal` also counts witnesses.
"""
import argparse, base64, hashlib, hmac, json, os, pathlib, stat, sys

try:
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
except ImportError as missing:
    print(f"{missing}; what is needed: pip install cryptography", file=sys.stderr)
    sys.exit(2)

FORMAT = "countersign-vault-export/1"
SUITE = "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305"
MAX_FILE_BYTES = 64 * 1024 * 1024
KINDS = {"intent_ref": "intent", "call_ref": "call", "facts_ref": "facts", "reasoning_ref": "reasoning",
         "result_ref": "result", "changeset_ref": "changeset", "purpose_ref": "statement",
         "authority_ref": "statement", "shown_ref": "statement"}
sha256 = lambda data: hashlib.sha256(data).digest()
node = lambda left, right: sha256(b"\x01" + left + right)


class Failed(Exception):
    """What does not hold."""


class Usage(Exception):
    """What keeps us from an answer."""


def need(holds, *what):
    if not holds:
        raise Failed(" ".join(map(str, what)))


# RFC 9180, mode base. The numbers of the suite are 0x0020, 0x0001, 0x0003.

KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")
HPKE_SUITE = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0003))


def labeled_extract(suite, salt, label, ikm):
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def labeled_expand(suite, prk, label, info, length):
    info, out, block = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        out += block
    return out[:length]


def hpke_open(secret, enc, info, aad, ciphertext):
    """RFC 9180 sections 4.1, 5.1 and 6.1: SetupBaseR, then Open with sequence number 0."""
    shared = secret.exchange(X25519PublicKey.from_public_bytes(enc))  # refuses zeroes
    kem_context = enc + secret.public_key().public_bytes_raw()
    prk = labeled_extract(KEM_SUITE, b"", b"eae_prk", shared)
    secret_of_kem = labeled_expand(KEM_SUITE, prk, b"shared_secret", kem_context, 32)
    context = (b"\x00" + labeled_extract(HPKE_SUITE, b"", b"psk_id_hash", b"")
               + labeled_extract(HPKE_SUITE, b"", b"info_hash", info))
    prk = labeled_extract(HPKE_SUITE, secret_of_kem, b"secret", b"")
    key = labeled_expand(HPKE_SUITE, prk, b"key", context, 32)
    nonce = labeled_expand(HPKE_SUITE, prk, b"base_nonce", context, 12)
    return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, aad)


# Keys.

def read_secret(path):
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Usage(f"{path} may be read by others: chmod 600")
    lines = path.read_text().split("\n")
    if len(lines) != 4 or not lines[0].startswith("countersign-key/v1 recipient "):
        raise Usage(f"{path} is no key file of a recipient")
    raw = base64.urlsafe_b64decode(lines[2].removeprefix("secret ") + "=")
    key_id = hmac.digest(raw, b"countersign/key-id/v1\nrecipient", "sha256")[:8].hex()
    if len(raw) != 32 or key_id != lines[0].split(" ")[2]:
        raise Usage(f"{path} is damaged")
    return X25519PrivateKey.from_private_bytes(raw)


def recipient_text(public):
    check = sha256(b"countersign/recipient-key/v1\n" + public)[:4].hex()
    return f"csrecipient1_{public.hex()}_{check}"


# Proofs: C2SP tlog-proof over RFC 6962.

def key_text(given):
    """A verifier key, or what stands in the file of this name."""
    if given.count("+") >= 2:
        return given
    try:
        return pathlib.Path(given).read_text().strip()
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"neither a verifier key nor a file that holds one: {error}")


def checkpoint(note, vkey):
    """C2SP signed-note and tlog-checkpoint: the size and root, if the key has signed them."""
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key, validate=True)
    if len(key) != 33 or key[0] != 1 or sha256(name.encode() + b"\n" + key)[:4].hex() != key_id:
        raise Usage("the log's key is not an Ed25519 verifier key")
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    ours = [base64.b64decode(line.split(" ")[2]) for line in lines.splitlines() if line.startswith(f"— {name} ")]
    ours = [line[4:] for line in ours if line[:4].hex() == key_id]
    need(ours, "no signature of the given key on the checkpoint")
    for signature in ours:
        try:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, text.encode())
        except InvalidSignature:
            raise Failed("a signature on the checkpoint that does not fit")
    origin, size, root = text.split("\n")[:3]
    need(origin == name, "the checkpoint is of", origin, "and not of", name)
    return int(size), base64.b64decode(root, validate=True)


def prove(entry, vkey):
    """The leaf's index, and the size and root of the checkpoint that covers it."""
    head, _, note = entry["proof"].partition("\n\n")
    lines = head.split("\n")
    need(lines.pop(0) == "c2sp.org/tlog-proof@v1", "no tlog-proof")
    if lines and lines[0].startswith("extra "):
        lines.pop(0)
    index = int(lines.pop(0).removeprefix("index "))
    path = [base64.b64decode(line, validate=True) for line in lines]
    size, root = checkpoint(note, vkey)
    need(0 <= index < size, "the index", index, "is not below the size", size)
    # RFC 9162 section 2.1.3.2.
    fn, sn, found = index, size - 1, sha256(b"\x00" + entry["leaf"].encode())
    for sibling in path:
        need(sn > 0 and len(sibling) == 32, "a path that is too long")
        if fn & 1 or fn == sn:
            found = node(sibling, found)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and found == root, "the entry is not in the log that the checkpoint speaks of")
    return index, size, root


# The file.

def once(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), "a member stands twice")
    return members


def frame(label, *fields):
    return label + b"".join(len(field).to_bytes(8, "big") + field for field in fields)


def canonical(header):
    """RFC 8785 of what a header may hold: strings, and lists and objects of strings."""
    return json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_file(path):
    if path.stat().st_size > MAX_FILE_BYTES:
        raise Usage(f"{path} is longer than {MAX_FILE_BYTES} bytes")
    file = json.loads(path.read_bytes(), object_pairs_hook=once)
    header = file["header"]
    need(set(file) == {"header", "records", "entries", "openings"}, "other members than a file has")
    need(header["format"] == FORMAT and header["suite"] == SUITE, "another format or suite")
    need(len(header["records"]) == len(file["records"]) > 0, "more or fewer records than the header names")
    refs = [name["ref"] for name in header["records"]]
    need(len(set(refs)) == len(refs), "a record is named twice")
    return file, header


def check(args, secret):
    file, header = read_file(args.file)
    public = secret.public_key().public_bytes_raw()
    if header["recipient"] != recipient_text(public):
        raise Usage(f"the file is sealed to {header['recipient']!r}, and this key is {recipient_text(public)}")
    need(header["origin"] == args.key.split("+")[0], "the file is of another log")
    held = checkpoint(args.held.read_text(), args.key) if args.held else None
    roots, named, findings = dict([held] if held else []), {}, []
    for where in ("entries", "openings"):
        leaves = ["sha256:" + sha256(entry["leaf"].encode()).hex() for entry in file[where]]
        if leaves != header[where]:
            findings.append(f"the {where} are not those that the header names")
        for number, entry in enumerate(file[where], 1):
            try:
                index, size, root = prove(entry, args.key)
                if roots.setdefault(size, root) != root:
                    return [], ["the log's key has signed two roots for one size"], 3
                leaf = json.loads(entry["leaf"])
                if where == "openings":
                    need(leaf["kind"] == "vault-access", "an entry of another kind")
                else:
                    for member, kind in KINDS.items():
                        if leaf.get(member):
                            named.setdefault(leaf[member], []).append((index, kind, (size, root) == held))
            except Failed as failed:
                findings.append(f"{where} {number}: {failed}")
    info = frame(b"countersign/vault-export/v1\n", header["origin"].encode(), header["purpose"].encode())
    digest, found = sha256(canonical(header)), []
    for name, record in zip(header["records"], file["records"]):
        try:
            reference = bytes.fromhex(name["ref"].removeprefix("sha256:"))
            aad = frame(b"countersign/vault-export/record/v1\n", digest, reference, name["kind"].encode())
            enc, text = (base64.b64decode(record[member], validate=True) for member in ("enc", "ciphertext"))
            document = hpke_open(secret, enc, info, aad, text)
            need(sha256(document) == reference, "it opens to another document")
            need(name["ref"] in named, "no entry that is in the log names it")
            need(all(kind == name["kind"] for _, kind, _ in named[name["ref"]]), "an entry names it as another kind")
            need(json.loads(document)["kind"] == name["kind"], "the document is of another kind")
            found.append((name, document, any(anchored for *_, anchored in named[name["ref"]])))
        except (Failed, InvalidTag, ValueError) as error:
            findings.append(f"{name['ref']}: {error or 'it does not open with this key'}")
    return found, findings, 1


def write(directory, found):
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, document, _ in found:
        path = directory / (name["ref"].removeprefix("sha256:") + ".json")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(document)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--recipient-key", type=pathlib.Path, required=True, help="the recipient's private key file")
    parser.add_argument("--key", type=key_text, required=True, help="the log's verifier key, or a file that holds it")
    parser.add_argument("--checkpoint", dest="held", type=pathlib.Path, help="one that you hold, of the proofs' size")
    parser.add_argument("--out", type=pathlib.Path, help="where to write the documents")
    parser.add_argument("--allow-unanchored", action="store_true")
    args = parser.parse_args()
    try:
        found, findings, code = check(args, read_secret(args.recipient_key))
        if args.out:
            write(args.out, found)
    except (OSError, Usage) as error:
        print(error, file=sys.stderr)
        return 2
    except Failed as failed:
        found, findings, code = [], [str(failed)], 1
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        found, findings, code = [], ["what has not the form of a file: " + repr(error)], 1
    if findings:
        print("failed:", *findings, sep="\n  ")
        return code
    anchored = sum(anchored for *_, anchored in found)
    if anchored == len(found):
        print(f"trusted: {anchored} records")
        return 0
    print(f"unanchored: {len(found) - anchored} records" + (f"; trusted: {anchored}" if anchored else ""))
    return 0 if args.allow_unanchored else 4


if __name__ == "__main__":
    sys.exit(main())
