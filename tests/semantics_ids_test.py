#!/usr/bin/env python3
"""Each line of docs/semantics.md has a test that is named after it, unless its id is in italics."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMISE = re.compile(r"^\| (S\d+) \|", re.MULTILINE)
TESTED = re.compile(r'TEST_CASE\(\s*"(S\d+): ')


def main():
    promised = PROMISE.findall((ROOT / "docs/semantics.md").read_text(encoding="utf-8"))
    tested = set()
    for source in (ROOT / "tests").rglob("*_test.cc"):
        tested.update(TESTED.findall(source.read_text(encoding="utf-8")))
    missing = [line for line in promised if line not in tested]
    for line in missing:
        print(f"docs/semantics.md promises {line}, and no test is called that; write it, or set the id in italics")
    return 1 if missing or not promised else 0


if __name__ == "__main__":
    sys.exit(main())
