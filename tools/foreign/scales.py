"""Reads a log with tlog-scales (PyPI, pinned in requirements.txt): the checkpoint's signatures,
entries with their inclusion, consistency of the receipts' checkpoints, and the text of
`gen-proof`, which must be ours to the byte.

    python scales.py DIR...

Each DIR is what `cargo xtask log --receipts` makes.
"""

import argparse
import contextlib
import io
import random
import sys
from pathlib import Path

from tlog_scales import cli, tiles
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint

# Up to this size every entry is read; beyond it, this many of them.
ENTRIES = 600


def chosen(size: int) -> list[int]:
    """All entries, or those at the edges and a sample."""
    if size <= ENTRIES:
        return list(range(size))
    edges = {0, 255, 256, 65_535, 65_536, size - 2, size - 1}
    sample = random.Random(size).sample(range(size), ENTRIES)
    return sorted({edge for edge in edges if edge < size} | set(sample))


def text_of_gen_proof(directory: Path, index: int) -> str:
    """What `tlog-tiles gen-proof DIR INDEX` prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        cli.cmd_gen_proof(argparse.Namespace(location=str(directory), leaf_index=index))
    return printed.getvalue()


def keys_of(directory: Path) -> list[Vkey]:
    return [Vkey.from_string(line) for line in (directory / "log.vkey").read_text().split()]


def check(directory: Path) -> str:
    keys = keys_of(directory)
    reader = TilesReader(LocalBackend(directory))
    checkpoint = reader.get_checkpoint()
    assert (directory / "checkpoint").read_text() == checkpoint.serialize(), "the checkpoint's text"
    for key in keys:
        assert checkpoint.origin == key.name, "the origin is the key's name"
        checkpoint.verify(key)
    assert reader.calculate_root_hash() == checkpoint.root_hash, "the root over the tiles"

    indexes = chosen(checkpoint.size)
    for index in indexes:
        leaf = tiles.leaf_hash(reader.get_entry(index))
        reader.get_inclusion_proof(index, checkpoint.size).check(leaf, checkpoint.root_hash)

    older = sorted((directory / "receipts").glob("*.checkpoint"))
    for path in older:
        old = Checkpoint.from_text(path.read_text())
        for key in keys:
            old.verify(key)
        proof = reader.get_consistency_proof(old.size, checkpoint.size)
        proof.check(old.root_hash, checkpoint.root_hash)

    proofs = sorted((directory / "proofs").glob("*.tlog-proof"))
    assert proofs, "no proofs to compare"
    for path in proofs:
        theirs = text_of_gen_proof(directory, int(path.name.split(".")[0]))
        assert theirs == path.read_text(), f"{path} is not what gen-proof prints"
    return (
        f"{checkpoint.size} entries, {len(keys)} signatures, {len(indexes)} inclusion proofs, "
        f"{len(older)} consistency proofs, {len(proofs)} proofs to the byte"
    )


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: scales.py DIR...")
    for argument in sys.argv[1:]:
        try:
            print(f"{argument}: {check(Path(argument).absolute())}")
        except Exception as error:
            sys.exit(f"{argument}: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
