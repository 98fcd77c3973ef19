"""Changes each peer's log in the same ways and asks the peer's own verifier."""

import argparse
import copy
import json
import sys
from pathlib import Path

import adapters

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "mutation-table.md"
BEGIN, END = "<!-- peers: begin -->\n", "<!-- peers: end -->\n"


def paths(value, at=()):
    """Every member of a record, at any depth."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield at + (name,)
            yield from paths(child, at + (name,))
    elif isinstance(value, list):
        for n, child in enumerate(value):
            yield from paths(child, at + (n,))


def get(record, path):
    for name in path:
        record = record[name]
    return record


def put(record, path, value):
    get(record, path[:-1])[path[-1]] = value


def others(value, elsewhere):
    """Other values: such as other records have there, then made-up ones."""
    found = [other for other in elsewhere if other != value]
    if isinstance(value, bool):
        found.append(not value)
    elif isinstance(value, int):
        found += [value + 1, 0]
    elif isinstance(value, str):
        found += [value + "x", value[:-1] + ("0" if value[-1:] != "0" else "1")]
        if value.endswith("Z") and "T" in value:
            found.append(value[:3] + ("7" if value[3] != "7" else "8") + value[4:])
    elif value is None:
        found += ["x", 1]
    elif isinstance(value, list):
        found += [[], value + value]
    elif isinstance(value, dict):
        found.append({})
    return found


def name(path):
    return ".".join("[]" if isinstance(part, int) else part for part in path)


def member_changes(records):
    """(row, member, changed records) for every member that any record has."""
    seen = {}
    for n, record in enumerate(records):
        for path in paths(record):
            seen.setdefault(name(path), (n, path))
    for member, (n, path) in seen.items():
        value = get(records[n], path)
        elsewhere = []
        for record in records:
            try:
                elsewhere.append(get(record, path))
            except (KeyError, IndexError, TypeError):
                pass
        for other in others(value, elsewhere)[:4]:
            changed = copy.deepcopy(records)
            put(changed[n], path, other)
            yield "a member changed", member, changed
        if not isinstance(path[-1], int):
            # What is null or empty means the same when it is gone, to readers that fill it in.
            if value not in (None, "", [], {}):
                changed = copy.deepcopy(records)
                del get(changed[n], path[:-1])[path[-1]]
                yield "a member removed", member, changed
            changed = copy.deepcopy(records)
            get(changed[n], path[:-1])[f"{path[-1]}2"] = "x" if value is None else value
            yield "a sibling added", member, changed


def whole_changes(records):
    """(row, what, changed records) for changes of whole entries."""
    count = len(records)
    for one, other in ((1, 2), (1, count - 2)):
        swapped = copy.deepcopy(records)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        yield "two entries swapped", f"{one} and {other}", swapped
    for left in (count - 1, count // 2):
        yield "the tail dropped", f"{left} of {count} left", copy.deepcopy(records[:left])
    yield "the middle dropped", "2 of it", copy.deepcopy(records[:2] + records[4:])
    for index in (1, 2):
        repeated = copy.deepcopy(records)
        repeated.insert(index + 1, copy.deepcopy(records[index]))
        yield "an entry repeated", f"entry {index}", repeated


def ask(adapter, records, held=None):
    """Whether the peer's verifier accepts; what it cannot read, it does not accept."""
    try:
        accepted, _reason = adapter.verify(copy.deepcopy(records), held)
        return bool(accepted)
    except Exception:
        return False


def rewritten(write, records):
    try:
        return write(copy.deepcopy(records))
    except Exception:
        return None  # The peer's own types refuse it: nothing can be shown to the verifier.


def content(adapter, records):
    """The log without what a forger writes anew in any case."""
    kept = []
    for record in copy.deepcopy(records):
        for path in adapter.DERIVED:
            *above, last = path.split(".")
            try:
                get(record, above).pop(last, None)
            except (KeyError, TypeError, AttributeError):
                pass
        kept.append(record)
    return kept


def columns(adapter):
    """(column, how the forger writes the log, whether something is held)"""
    found = [("edited", None, False), ("no key, rest recomputed", adapter.recompute, False)]
    if adapter.KEY:
        found.append(("with the key", adapter.sign, False))
    if adapter.HELD:
        last = adapter.sign if adapter.KEY else adapter.recompute
        found.append(("the same, something held", last, True))
    return found


def run(adapter):
    records = adapter.make()
    held = adapter.keep(records) if adapter.HELD else None
    sound = ask(adapter, records) and (held is None or ask(adapter, records, held))
    if not sound:
        raise SystemExit(f"{adapter.NAME}: its verifier refuses the log as it was made")
    rows, changes = {}, list(member_changes(records)) + list(whole_changes(records))
    for column, write, is_held in columns(adapter):
        same = content(adapter, records if write is None else write(copy.deepcopy(records)))
        for row, what, changed in changes:
            log = changed if write is None else rewritten(write, changed)
            # A forger who writes everything anew may end up with the very log that was there.
            if log is None or (write is not None and content(adapter, log) == same):
                continue
            accepted = ask(adapter, log, held if is_held else None)
            cell = rows.setdefault(row, {}).setdefault(column, {"tried": [], "accepted": []})
            cell["tried"].append(what)
            if accepted:
                cell["accepted"].append(what)
    return {"peer": adapter.NAME, "log": adapter.LOG, "verifier": adapter.VERIFIER, "rows": rows}


def word(row, cell):
    if cell is None:
        return "–"
    tried, accepted = cell["tried"], cell["accepted"]
    if not accepted:
        return "noticed"
    if not row.startswith("a "):
        return "NOT noticed" if len(accepted) == len(tried) else f"NOT noticed: {', '.join(accepted)}"
    members, unnoticed = sorted(set(tried)), sorted(set(accepted))
    return f"NOT noticed at {len(unnoticed)} of {len(members)} members"


def policy(adapter, result):
    """The text of the policy: none of these logs holds one."""
    if not adapter.POLICY:
        return "not in the log"
    cell = result["rows"]["a member changed"]["edited"]
    named = [f"`{member}` {'NOT noticed' if member in cell['accepted'] else 'noticed'}" for member in adapter.POLICY]
    return f"not in the log; {', '.join(named)}"


def table(results):
    lines = []
    for adapter, result in results:
        names = [column for column, _, _ in columns(adapter)]
        lines += [f"### {adapter.NAME}", ""]
        lines += [f"Log: {adapter.LOG}. Verifier: {adapter.VERIFIER}."]
        if adapter.HELD:
            lines += [f"Something held: {adapter.HELD}."]
        lines += ["", f"| change | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
        for row, cells in result["rows"].items():
            words = [word(row, cells.get(column)) for column in names]
            lines.append(f"| {row} | {' | '.join(words)} |")
        lines.append(f"| the policy's text swapped | {policy(adapter, result)} |{' |' * (len(names) - 1)}")
        lines.append("")
        edited = {row: cells["edited"]["accepted"] for row, cells in result["rows"].items() if row.startswith("a ")}
        for row, members in edited.items():
            unnoticed = sorted(set(members))
            if unnoticed and "sibling" not in row:
                lines += [f"Not noticed where {row} and nothing else: {', '.join(f'`{m}`' for m in unnoticed)}.", ""]
        lines += [adapter.NOTE, ""] + [f"> {quote}" for quote in adapter.QUOTES] + [""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print every change")
    parser.add_argument("--check", action="store_true", help="compare with docs/mutation-table.md")
    parser.add_argument("--write", action="store_true", help="write the table into docs/mutation-table.md")
    arguments = parser.parse_args()
    results = [(adapter, run(adapter)) for adapter in adapters.ALL]
    text = table(results)
    if arguments.json:
        print(json.dumps([result for _, result in results], indent=2))
        return 0
    if arguments.check or arguments.write:
        page = DOCUMENT.read_text()
        before, rest = page.split(BEGIN)
        _, after = rest.split(END)
        written = f"{before}{BEGIN}\n{text}\n{END}{after}"
        if arguments.write:
            DOCUMENT.write_text(written)
        elif written != page:
            print("docs/mutation-table.md is out of date: --write writes it anew", file=sys.stderr)
            return 1
        return 0
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
