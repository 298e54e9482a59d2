#!/usr/bin/env python3
"""Prints regular expressions for the mutants of what only a build with a planted bug or for a model checker has, which
`ci/mutants.sh` leaves alone."""

import re
import sys


def planted(lines):
    """Line numbers, each with the first column that counts."""
    inside = None
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        start = line.find("cfg!(thenable_plant")
        if inside is not None:
            # The statement or the block ends where its indentation does.
            if indent == inside and (line.lstrip().startswith("}") or line.endswith((";", "}", ","))):
                inside = None
            yield number, 0
        elif any(f"#[cfg({flag}" in line for flag in ("thenable_plant", "loom)", "shuttle)")):
            inside = indent
        elif start >= 0:
            if line.lstrip().startswith("if cfg!") and line.endswith("{"):
                inside = indent
            yield number, start


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for number, start in planted(lines):
        columns = "|".join(map(str, range(start + 1, len(lines[number - 1]) + 1)))
        print(f"^{re.escape(path)}:{number}:({columns}):")
