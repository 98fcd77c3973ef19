"""aat-mcp: the recorder of MCP tool calls, and the verification that it ships."""

from aat import core
from aat.mcp import MCPRecorder

NAME = "aat-mcp 0.1.0"
LOG = "`MCPRecorder`: a session opened, four calls through `wrap`, closed; ES256 over every record"
VERIFIER = "`core.verify_chain(records, {kid: public_key})`"
HELD = None
KEY = True
NOTE = (
    'Without the key the forger leaves every `signature` out.'
)
QUOTES = [
    "README: \"Signed, tamper-evident audit trail for MCP tool calls … that an independent party can verify"
    " offline, without trusting the producer\". `verify_chain` looks at a signature only"
    " `if \"signature\" in rec`.",
]
POLICY = []
# What a forger writes anew in any case.
DERIVED = ["signature", "sig_alg", "signer_kid", "prev_hash", "parent_record_id"]
PRIVATE = core.gen_key()
KID = core.kid_for(PRIVATE.public_key())


def make():
    """With a clock that steps a second for each record, so that no two have the same time."""
    clock = (f"2026-04-18T02:13:{second:02d}.000Z" for second in range(60))
    real, core.now_rfc3339 = core.now_rfc3339, lambda: next(clock)
    try:
        return _make()
    finally:
        core.now_rfc3339 = real


def _make():
    recorder = MCPRecorder(
        agent_id="urn:agent:bot.example", agent_version="1.0.0", private_key=PRIVATE, trust_level="L2"
    )
    recorder.open_session()
    call = recorder.wrap(lambda name, args: {"done": args}, policy=lambda name, args: name != "delete")
    for n in range(3):
        call("send", {"to": f"contact-{n}"})
    try:
        call("delete", {"all": True})
    except PermissionError:
        pass
    recorder.close_session()
    return recorder.records


def _anew(records, is_signed):
    last_id, last_hash, out = None, None, []
    for record in records:
        record = {k: v for k, v in record.items() if k not in ("signature", "sig_alg", "signer_kid")}
        record["parent_record_id"], record["prev_hash"] = last_id, last_hash
        if is_signed:
            core.sign_record(record, PRIVATE, KID)
        last_id, last_hash = record.get("record_id"), core.chain_hash(record)
        out.append(record)
    return out


def recompute(records):
    # Nobody without the key can sign; the signatures are left out.
    return _anew(records, False)


def sign(records):
    return _anew(records, True)


def verify(records, held=None):
    accepted, issues = core.verify_chain(records, {KID: PRIVATE.public_key()})
    return accepted, "; ".join(issues)
