#!/usr/bin/env -S python3 -B
"""The store against its peers, on the same files and disk in the same run. docs/performance.md tells what each row means."""

import argparse
import os
import platform
import sys
import time

from sections import Bench, Sizes
from table import Table
from trees import Trees
from workspace import CommandFailed, Workspace

SECTIONS = ("big", "small", "tree", "versions")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows-program", required=True, help="the built store_rows")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/tmp"), help="where to work; about 10 GB for everything")
    parser.add_argument("--quick", action="store_true", help="smaller, each figure once: what `make bench` prints")
    parser.add_argument("--scale", type=float, default=1.0, help="shrinks every size, to try the rows out; such figures mean nothing")
    parser.add_argument("--sections", default=",".join(SECTIONS), help="of %(default)s")
    parser.add_argument("--results", help="also writes the table there, as Markdown")
    chosen = parser.parse_args()
    chosen.sections = chosen.sections.split(",")
    unknown = set(chosen.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    return chosen


def remarks(chosen):
    return [
        "ours: the library in one process, from the first file's opening through reading, staging and commit until it is durable;",
        "  the store is open before. Peers: the whole command, from its start to a syncfs after it. Source files are in the page cache.",
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Linux {platform.release()}, in {'quick' if chosen.quick else 'full'} sizes"
        + ("" if chosen.scale == 1 else f" times {chosen.scale:g}: TRIED OUT, NOT MEASURED"),
    ]


def main():
    chosen = arguments()
    table = Table()
    table.head(remarks(chosen))
    try:
        with Workspace(chosen.dir, os.path.abspath(chosen.rows_program)) as space:
            bench = Bench(space, table, Sizes(chosen.quick, chosen.scale))
            sections = {"big": bench.big, "small": bench.small, "tree": Trees(bench).rows, "versions": bench.versions}
            try:
                for section in chosen.sections:
                    sections[section]()
            finally:
                bench.memory()
    except CommandFailed as failure:
        print(f"store_bench: {failure}", file=sys.stderr)
        return 1
    finally:
        if chosen.results:
            table.write(chosen.results, remarks(chosen))
    print(f"{table.short} rows are short of their target" if table.short else "every target is met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
