//! The README of a folder: what lies here, and the commands that check it.

use std::fmt::Write as _;

use countersign_verify::Trust;

/// The text. It names no path of the machine that made it.
pub(crate) fn readme(origin: &str, size: u64, trust: &Trust, is_opened: bool) -> Vec<u8> {
    let mut out = String::new();
    let documents = match is_opened {
        true => {
            "| `documents/` | the sealed records that were opened, each named by the SHA-256 of its bytes, which an entry names. **This is plaintext: keep it as such.** |\n"
        }
        false => "",
    };
    let _ = write!(
        out,
        "# Evidence for an incident

This folder holds what one ledger of tool calls says of one incident, with the proofs.

- A reader begins with [report.html](report.html), which needs no network and runs no script. [report.md](report.md) says the same as text.
- An auditor checks it as below. Nothing in this folder is believed because this folder says it.
- An engineer finds every entry, rule and proof as a file.

| file | what it is |
| --- | --- |
| `report.html`, `report.md` | the report; made from the other files |
| `entries/` | entries of the log: each file is the very bytes of one leaf, named by its place in the log and its id |
| `proofs/` | for each entry, that it is in the tree that the checkpoint signs (C2SP tlog-proof) |
| `checkpoint` | the signed head of the log (C2SP tlog-checkpoint), over {size} entries |
| `tlog-policy` | which keys sign the log, and which witnesses were asked for (C2SP tlog-policy) |
| `bundles/` | the rules that judged: each file is canonical JSON, and its SHA-256 is the `policy_ref` of the entries |
{documents}| `records.json` | every sealed record that the entries name, and whether it was opened, is sealed, or was erased by which entry |
| `manifest.json`, `SHA256SUMS` | the SHA-256 of every file |

The log is `{origin}`.

## The keys

Get them from the operator by **another way than this folder**, and compare. Those that whoever made this folder used:

"
    );
    let log_keys = trust.log_keys.iter().map(|key| ("log key", key));
    let root = trust.root_key.iter().map(|key| ("root key", key));
    for (what, key) in log_keys.chain(root) {
        let _ = writeln!(out, "- {what}: `{key}`");
    }
    out.push_str(COMMANDS);
    out.into_bytes()
}

const COMMANDS: &str = r"
## With our verifier, offline

```sh
countersign verify . --key YOUR-KEY --checkpoint YOUR-CHECKPOINT --rejudge
```

`YOUR-KEY` is the log's key (or give `--root-key`). `YOUR-CHECKPOINT` is one that you kept, of the same size as the one here; or give `--policy FILE` with witnesses
that you believe. With neither the best that can be said is `unanchored`: nothing is wrong, and nothing from outside the operator's reach vouches for it. `--rejudge` judges every
decision again whose records lie in `documents/`.

Exit codes: 0 trusted, 4 unanchored, 1 failed, 3 the checkpoint contradicts one that you hold, 2 usage or I/O.

## With others' tools

Every file is as it was made:

```sh
sha256sum -c SHA256SUMS
```

A record that was opened, or a bundle, is what an entry names, since its name is its SHA-256:

```sh
( cd bundles && for f in *.json; do printf '%s  %s\n' ${f%.json} $f; done | sha256sum -c )
```

The proofs are C2SP tlog-proofs over RFC 6962 leaf hashes (SHA-256 of a zero byte and the file in `entries/`), the checkpoint is a C2SP signed note. Libraries that strangers
wrote read both: `filippo.io/torchwood`, `tlog-scales` from PyPI, and Go's `golang.org/x/mod/sumdb`, whose `note` opens the checkpoint and whose `tlog` checks a proof's hashes.
A checker of some hundred lines of Python that shares no code with the product is in its repository: `tools/check_incident.py DIR YOUR-KEY`.

## The whole log

This folder is a selection. That the log holds nothing else about the incident shows when the whole log is checked against the same checkpoint:

```sh
countersign verify https://HOST/log/TENANT/EPOCH --key YOUR-KEY --checkpoint checkpoint
```
";

/// What `tlog-policy` says where none was given: the keys of the log, and no witness.
pub(crate) fn policy_text(trust: &Trust) -> String {
    let mut out = String::new();
    for key in &trust.log_keys {
        let _ = writeln!(out, "log {key}");
    }
    out.push_str("quorum none\n");
    out
}
