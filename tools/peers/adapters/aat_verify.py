"""aat-verify: the stand-alone verifier of the same draft.

Version 0.1.0 checks draft -04, whose trust levels are numbers; aat-mcp 0.1.0 writes those of draft
-06, which are words, and `aat-verify` ends in a TypeError over them. So the records are made with
aat-mcp's own functions, with the number in place before they are signed. No package writes the Merkle
batches that the draft knows, so they are made here, with the verifier's own hash functions: that is
the strongest that it verifies.
"""

from aat import core as made
from aat_verify import core, verify_trail

from . import aat_mcp

NAME = "aat-verify 0.1.0"
LOG = (
    "aat-mcp's records with `trust_level` 1 in place of `L1` before signing, and a Merkle batch over all"
    " (which no package writes: made for this table)"
)
VERIFIER = "`verify_trail(records, keystore)`, all checks"
HELD = "and the batch's root is the one that was kept"
KEY = True
NOTE = (
    "Without the key the forger leaves every `signature` out, and computes the batch anew. `aat-verify` ends in a TypeError over the records that aat-mcp 0.1.0 writes (draft -06 has `L2` where draft -04 has 2), so these are made with aat-mcp's own functions and the number."
)
QUOTES = [
    "`verify_trail`: \"A pure chain+signature check cannot see a missing tail record; the committed"
    " tree_size closes that gap for anchored epochs.\" and \"no tree_size (completeness needs the external"
    " anchor; tail truncation not detectable)\". Records without `signature` are passed over"
    " (`if \"signature\" not in r: continue`).",
]
POLICY = []
# What a forger writes anew in any case.
DERIVED = ["signature", "sig_alg", "signer_kid", "prev_hash", "parent_record_id", "batch"]


def _keystore():
    numbers = aat_mcp.PRIVATE.public_key().public_numbers()
    xy = {name: core.b64u(n.to_bytes(32, "big")) for name, n in (("x", numbers.x), ("y", numbers.y))}
    return {aat_mcp.KID: {"alg": "ES256", "jwk_x_y": xy}}


def make():
    records = [{**record, "trust_level": 1} for record in aat_mcp.make()]
    return sign(records)


def _tree(leaves):
    """The root and each leaf's proof (RFC 6962)."""
    if len(leaves) == 1:
        return leaves[0], [[]]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    (left, of_left), (right, of_right) = _tree(leaves[:split]), _tree(leaves[split:])
    proofs = [proof + [{"hash": right.hex(), "side": "right"}] for proof in of_left]
    proofs += [proof + [{"hash": left.hex(), "side": "left"}] for proof in of_right]
    return core.node_hash(left, right), proofs


def _batched(records):
    if not records:
        return records
    root, proofs = _tree([core.leaf_hash(record) for record in records])
    for n, (record, proof) in enumerate(zip(records, proofs)):
        record["batch"] = {
            "epoch_id": "1",
            "tree_size": len(records),
            "leaf_index": n,
            "merkle_root": root.hex(),
            "inclusion_proof": proof,
        }
    return records


def _plain(records):
    return [{k: v for k, v in record.items() if k != "batch"} for record in records]


def recompute(records):
    return _batched(aat_mcp.recompute(_plain(records)))


def sign(records):
    return _batched(aat_mcp.sign(_plain(records)))


def keep(records):
    return records[0]["batch"]["merkle_root"]


def verify(records, held=None):
    result = verify_trail(records, _keystore())
    failed = "; ".join(check.name for check in result.checks if not check.ok)
    if result.ok and held is not None:
        roots = {(record.get("batch") or {}).get("merkle_root") for record in records}
        return roots == {held}, "another root than the one that was kept"
    return result.ok, failed
