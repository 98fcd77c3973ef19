"""agent-governance-toolkit-core: the opt-in file sink, each line with an HMAC."""

import json
import tempfile
from pathlib import Path

from agentmesh.governance.audit import AuditLog
from agentmesh.governance.audit_backends import FileAuditSink, HashChainVerifier, SignedAuditEntry

NAME = "AGT core 5.0.0, `FileAuditSink`"
LOG = "`AuditLog(sink=FileAuditSink(path, secret_key))`, 8 entries, HMAC-SHA256"
VERIFIER = "`HashChainVerifier.verify_file(path, secret_key)`"
HELD = None
KEY = True
NOTE = (
    'Members that it does not know are dropped when a line is read: what a sibling says is not shown by its own reader. The key is symmetric: whoever verifies can sign.'
)
QUOTES = [
    "`SignedAuditEntry._canonical_payload`: \"Also excludes execution-context fields (`sandbox_id`,"
    " `environment`, `compute_driver`) so that they can be added to entries without invalidating existing"
    " HMAC chains.\"",
]
POLICY = ["matched_rule"]
# What a forger writes anew in any case.
DERIVED = ["content_hash", "previous_hash", "signature"]
SECRET = b"a secret that the verifier has, too"


def make():
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "audit.jsonl"
        log = AuditLog(sink=FileAuditSink(path, SECRET))
        for n in range(8):
            log.log(
                event_type="tool_invocation",
                agent_did=f"did:mesh:agent-{n % 2}",
                action="email.send",
                resource=f"contact-{n}",
                data={"n": n},
                outcome="success" if n % 2 else "denied",
                policy_decision="allow" if n % 2 else "deny",
                trace_id=f"trace-{n}",
                policy_version=f"1.{n}",
            )
        return [json.loads(line) for line in path.read_text().splitlines()]


def _anew(records, secret):
    previous, out = "", []
    for record in records:
        entry = SignedAuditEntry.model_validate({**record, "previous_hash": previous})
        entry.content_hash = entry._compute_content_hash()
        if secret is not None:
            entry.signature = entry._compute_signature(secret)
        previous = entry.content_hash
        out.append(entry.to_dict())
    return out


def recompute(records):
    return _anew(records, None)


def sign(records):
    return _anew(records, SECRET)


def verify(records, held=None):
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "audit.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        accepted, errors = HashChainVerifier().verify_file(path, SECRET)
        return accepted, "; ".join(errors)
