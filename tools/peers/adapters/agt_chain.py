"""agent-governance-toolkit-core: the default audit log, a hash chain with a Merkle tree beside it.

It has no key. It has no way of loading an export either, so the entries are put into the chain's
list as whoever holds the storage would, and its tree is built anew.
"""

from agentmesh.governance.audit import AuditEntry, AuditLog, MerkleAuditChain

NAME = "AGT core 5.0.0, `AuditLog`"
LOG = "`AuditLog.log(...)`, 8 entries; the chain has no key"
VERIFIER = "`verify_integrity()`"
HELD = "and each entry's `verify_proof` against the root that was kept"
KEY = False
NOTE = (
    'Members that it does not know are dropped when an entry is read: what a sibling says is not shown by its own reader.'
)
QUOTES = [
    "`AuditEntry.policy_version`: \"NOT part of the canonical entry hash in spec v1.0; v1.1 will extend"
    " MerkleAuditChain coverage. See spec §4.3.1.\" (the same stands at `arguments_hash`, `approver_did`,"
    " `issued_at` and `completed_at`)",
]
POLICY = ["policy_version", "matched_rule"]
# What a forger writes anew in any case.
DERIVED = ["previous_hash", "entry_hash"]


def make():
    log = AuditLog()
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
            arguments_hash=f"{n:064x}",
            approver_did="did:mesh:lead",
            policy_version=f"1.{n}",
        )
    return [entry.model_dump(mode="json") for entry in log._chain._entries]


def _chain(records):
    chain = MerkleAuditChain()
    chain._entries = [AuditEntry.model_validate(record) for record in records]
    chain._rebuild_tree()
    return chain


def keep(records):
    return _chain(records).get_root_hash()


def recompute(records):
    chain = MerkleAuditChain()
    for record in records:
        record = {k: v for k, v in record.items() if k not in ("previous_hash", "entry_hash")}
        chain.add_entry(AuditEntry.model_validate(record))
    return [entry.model_dump(mode="json") for entry in chain._entries]


def verify(records, held=None):
    chain = _chain(records)
    log = AuditLog()
    log._chain = chain
    accepted, reason = log.verify_integrity()
    if accepted and held is not None:
        for entry in chain._entries:
            proof = chain.get_proof(entry.entry_id)
            if not chain.verify_proof(entry.entry_hash, proof, held):
                return False, "no proof under the root that was kept"
        accepted = bool(chain._entries)
    return accepted, reason
