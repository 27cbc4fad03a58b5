#!/usr/bin/env python3
"""Each line of docs/semantics.md has a test that is named after it and built, unless its id is in italics."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMISE = re.compile(r"^\| (S\d+) \|", re.MULTILINE)
TESTED = re.compile(r'TEST_CASE\(\s*"(S\d+): ')


def is_built(source):
    """A file that no CMakeLists.txt names has tests that nobody runs."""
    lists = source.parent / "CMakeLists.txt"
    return lists.exists() and re.search(rf"(^|[\s/]){re.escape(source.name)}\b", lists.read_text(encoding="utf-8")) is not None


def main():
    promised = PROMISE.findall((ROOT / "docs/semantics.md").read_text(encoding="utf-8"))
    tested = set()
    wrong = []
    for source in sorted((ROOT / "tests").rglob("*_test.cc")):
        ids = TESTED.findall(source.read_text(encoding="utf-8"))
        if ids and not is_built(source):
            wrong.append(f"{source}: tests lines of docs/semantics.md and is built by no CMakeLists.txt; add it there")
            continue
        wrong += [f"{source}: a test of {line}, which docs/semantics.md does not promise" for line in sorted(set(ids) - set(promised))]
        tested.update(ids)
    wrong += [
        f"docs/semantics.md promises {line}, and no test is called that; write it, or set the id in italics"
        for line in promised
        if line not in tested
    ]
    for line in wrong:
        print(line)
    return 1 if wrong or not promised else 0


if __name__ == "__main__":
    sys.exit(main())
