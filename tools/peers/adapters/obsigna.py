"""obsigna: hash-chained receipts with Ed25519 signatures, as its in-process SDK makes them."""

import json

from obsigna import AgentReceipt, InMemoryEmitter
from obsigna.receipt.chain import verify_chain
from obsigna.receipt.create import ActionInput
from obsigna.receipt.hash import hash_receipt
from obsigna.receipt.signing import generate_key_pair, sign_receipt, verify_raw
from obsigna.receipt.types import Intent, Issuer, Outcome, Principal, UnsignedAgentReceipt
from obsigna.receipt_chain import ChainEmitInput, ReceiptChain

NAME = "obsigna 0.16.0"
LOG = "`ReceiptChain.emit(...)`, 8 receipts, the last one terminal; Ed25519"
VERIFIER = "`verify_chain(receipts, public_key)`, and `verify_raw` over each receipt's JSON"
HELD = "with `expected_length`, `expected_final_hash` and `require_terminal`"
KEY = True
NOTE = (
    'The shape that its README recommends has a separate Go daemon that holds the key; it is not on PyPI and was not run. What is verified is the same: signed, linked receipts.'
)
QUOTES = [
    "`verify_chain`: \"Chain verification does NOT detect tail truncation by default — dropping the last N"
    " receipts still produces valid=True. To detect truncation: Supply expected_length and/or"
    " expected_final_hash (out-of-band witness) …\"",
]
POLICY = []
# What a forger writes anew in any case.
DERIVED = [
    "proof",
    "credentialSubject.chain.previous_receipt_hash",
    "credentialSubject.chain.sequence",
    "credentialSubject.chain.terminal",
    "credentialSubject.chain.status",
]
KEYS = generate_key_pair()
METHOD = "did:example:agent#key-1"


def make():
    emitter = InMemoryEmitter()
    chain = ReceiptChain(
        chain_id="chain-1", private_key=KEYS.private_key, verification_method=METHOD, emitter=emitter
    )
    receipts = []
    for n in range(8):
        receipts.append(
            chain.emit(
                ChainEmitInput(
                    issuer=Issuer(id="did:example:agent", name="bot"),
                    principal=Principal(id="did:example:lead"),
                    action=ActionInput(
                        type="communication.email.send",
                        risk_level="low" if n % 2 else "high",
                        parameters_hash=f"sha256:{n:064x}",
                    ),
                    outcome=Outcome(status="success" if n % 2 else "failure"),
                    intent=Intent(conversation_hash=f"sha256:{n:064x}"),
                    terminal=n == 7,
                    termination_status="complete" if n == 7 else None,
                )
            )
        )
    return [_json(receipt) for receipt in receipts]


def _json(receipt):
    data = receipt.model_dump(by_alias=True, exclude_none=True, mode="json")
    data["credentialSubject"]["chain"].setdefault("previous_receipt_hash", None)
    return data


def sign(records):
    previous, out = None, []
    for n, record in enumerate(records):
        data = json.loads(json.dumps({k: v for k, v in record.items() if k != "proof"}))
        chain = data["credentialSubject"]["chain"]
        chain["previous_receipt_hash"], chain["sequence"] = previous, n + 1
        chain.pop("terminal", None)
        chain.pop("status", None)
        if n == len(records) - 1:
            chain["terminal"], chain["status"] = True, "complete"
        receipt = sign_receipt(UnsignedAgentReceipt.model_validate(data), KEYS.private_key, METHOD)
        previous = hash_receipt(receipt)
        out.append(_json(receipt))
    return out


def recompute(records):
    """Links and numbers anew, with the signatures as they were."""
    previous, out = None, []
    for n, record in enumerate(records):
        data = json.loads(json.dumps(record))
        chain = data["credentialSubject"]["chain"]
        chain["previous_receipt_hash"], chain["sequence"] = previous, n + 1
        previous = hash_receipt(AgentReceipt.model_validate(data))
        out.append(data)
    return out


def keep(records):
    return len(records), hash_receipt(AgentReceipt.model_validate(records[-1]))


def verify(records, held=None):
    options = {}
    if held is not None:
        length, final = held
        options = {"expected_length": length, "expected_final_hash": final, "require_terminal": True}
    receipts = [AgentReceipt.model_validate(record) for record in records]
    result = verify_chain(receipts, KEYS.public_key, **options)
    if not result.valid:
        return False, result.error or f"broken at {result.broken_at}"
    raw = all(verify_raw(record, KEYS.public_key) for record in records)
    return raw, "" if raw else "a raw receipt"
