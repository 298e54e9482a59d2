#!/usr/bin/env python3
"""Finds the memory orderings of the core that can be weakened by one step. For `ci/loom-orderings.sh`.

    ci/orderings.py list FILE...                       one weakening a line, fields separated by tabs: file, line, column,
                                                       operation, from, to, in the loom build?, argued for in a comment?
    ci/orderings.py mutate FILE LINE COLUMN FROM TO    changes that one in the file
    ci/orderings.py digest FILE...                     a hash of the files' code, which comments do not change

Planted bugs, tests and comments are passed over. The operation is the last method of an atomic that was named before the
ordering in the same statement, or the next one where the ordering has a name.
"""

import hashlib
import re
import sys
from itertools import accumulate
from pathlib import Path

# In the comment above an ordering: why the model checker cannot notice that it is weaker.
MARKER = "not visible to loom:"
TOKEN = re.compile(r"\bOrdering::(SeqCst|AcqRel|Acquire|Release|Relaxed)\b")
OPERATION = re.compile(r"\.(load|store|swap|compare_exchange(?:_weak)?|fetch_\w+)\(")
PLANT = re.compile(r'#\[cfg\(thenable_plant = "')
PLANTED_BRANCH = re.compile(r'cfg!\(thenable_plant = "[^"]*"\)\s*\{\s*$')

WEAKER = {
    "load": {"SeqCst": ["Acquire"], "Acquire": ["Relaxed"]},
    "store": {"SeqCst": ["Release"], "Release": ["Relaxed"]},
    "change": {
        "SeqCst": ["AcqRel"],
        "AcqRel": ["Acquire", "Release"],
        "Acquire": ["Relaxed"],
        "Release": ["Relaxed"],
    },
    "failure": {"SeqCst": ["Acquire"], "Acquire": ["Relaxed"]},
}


def code_of(line):
    """The line without its comment (no string of the core contains two slashes)."""
    return line.split("//", 1)[0]


def planted_lines(lines):
    """Numbers of the lines that a planted bug alone compiles."""
    planted = set()
    at = 0
    while at < len(lines):
        if PLANT.search(lines[at]):
            depth = 0
            while True:
                planted.add(at)
                code = code_of(lines[at])
                depth += code.count("{") + code.count("(") - code.count("}") - code.count(")")
                if depth <= 0 and code.rstrip().endswith((";", "}")):
                    break
                at += 1
        at += 1
    return planted


def argued(lines, at):
    """Whether the comment that stands nearest above the line, within its statement's reach, has the marker."""
    above = at
    while above >= 0 and at - above < 12:
        comment = []
        while above >= 0 and lines[above].lstrip().startswith("//"):
            comment.insert(0, lines[above].strip().lstrip("/!").strip())
            above -= 1
        text = " ".join(comment)
        if "ORDERING" in text or MARKER in text:
            return MARKER in text
        above -= 1
    return False


def operation_of(lines, at, column):
    """The operation that an ordering belongs to, and whether it is that of a failed exchange."""
    before = "\n".join(code_of(line) for line in lines[max(0, at - 8) : at]) + "\n" + code_of(lines[at])[:column]
    statement = re.split(r"[;{}]\s*\n", before)[-1]
    for named in reversed(list(OPERATION.finditer(statement))):
        arguments = statement[named.end() :]
        # A call that is over by then is an argument of the one that is meant.
        if min(accumulate((c == "(") - (c == ")") for c in arguments), default=0) < 0:
            continue
        arguments = re.sub(r"\([^()]*\)", "", arguments)
        earlier = len(TOKEN.findall(arguments)) + len(re.findall(r"\border\b", arguments))
        name = named.group(1)
        return name, name.startswith("compare_exchange") and earlier > 0
    after = code_of(lines[at])[column:] + "\n" + "\n".join(code_of(line) for line in lines[at + 1 : at + 6])
    named = OPERATION.search(after)
    return (named.group(1), False) if named else (None, False)


def weakenings(path):
    text = path.read_text()
    lines = text.split("\n")
    planted = planted_lines(lines)
    # What `mod.rs` leaves out of the loom build.
    parent = path.parent / "mod.rs"
    left_out = parent.exists() and re.search(rf"#\[cfg\(not\(loom\)\)\]\s*mod {path.stem};", parent.read_text())
    for at, line in enumerate(lines):
        if at in planted:
            continue
        code = code_of(line)
        for token in TOKEN.finditer(code):
            if PLANTED_BRANCH.search(code[: token.start()]):
                continue
            name, failed = operation_of(lines, at, token.start())
            if name is None:
                continue
            kind = "failure" if failed else name if name in ("load", "store") else "change"
            # Atomics of the standard library itself are nothing to loom.
            seen = not left_out and not code[: token.start()].endswith("std::sync::atomic::")
            for weaker in WEAKER[kind].get(token.group(1), []):
                yield (
                    str(path),
                    at + 1,
                    token.start(1),
                    name + (", failed" if failed else ""),
                    token.group(1),
                    weaker,
                    "loom" if seen else "no",
                    "argued" if argued(lines, at) else "no",
                )


def main(arguments):
    match arguments:
        case ["list", *files]:
            for file in files:
                for weakening in weakenings(Path(file)):
                    print(*weakening, sep="\t")
        case ["mutate", file, line, column, old, new]:
            path = Path(file)
            lines = path.read_text().split("\n")
            at, column = int(line) - 1, int(column)
            if not lines[at][column:].startswith(old):
                sys.exit(f"{file}:{line}: {old} is not there")
            lines[at] = lines[at][:column] + new + lines[at][column + len(old) :]
            path.write_text("\n".join(lines))
        case ["digest", *files]:
            digest = hashlib.sha256()
            for file in files:
                code = (code_of(line).strip() for line in Path(file).read_text().split("\n"))
                digest.update("\n".join(line for line in code if line).encode() + b"\0")
            print(digest.hexdigest()[:24])
        case _:
            sys.exit(__doc__)


main(sys.argv[1:])
