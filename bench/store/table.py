"""The table that a benchmark prints: `row | ours | compared with | ratio | target | ok/short`."""

HEAD = ("row", "ours", "compared with", "ratio", "target", "")
WIDTHS = (52, 22, 50, 6, 9, 5)


class Target:
    """What a row has to reach: `at_most(0.4)` of a ratio, or `at_most(2, "ms")` of our own figure."""

    def __init__(self, sign, limit, unit=""):
        self.sign, self.limit, self.unit = sign, limit, unit

    def met(self, value):
        return value <= self.limit if self.sign == "<=" else value >= self.limit

    def __str__(self):
        return f"{self.sign} {self.limit:g} {self.unit}".strip()


def at_most(limit, unit=""):
    return Target("<=", limit, unit)


def at_least(limit, unit=""):
    return Target(">=", limit, unit)


class Table:
    """Prints rows as they come, and keeps them for a file. `short` counts the rows that miss their target."""

    def __init__(self):
        self.lines = []
        self.short = 0

    def head(self, remarks):
        for remark in remarks:
            print(remark)
        print()
        self._print(HEAD)
        self._print(tuple("-" * width for width in WIDTHS))

    def row(self, name, ours, compared="", ratio=None, target=None, value=None):
        """`value` is what the target is about; without it, the ratio. A row without a figure has `ratio` None."""
        verdict = ""
        judged = ratio if value is None else value
        if target is not None and judged is not None:
            verdict = "ok" if target.met(judged) else "short"
            self.short += verdict == "short"
        self._print((name, ours, compared, "" if ratio is None else f"{ratio:.3g}" if ratio < 100 else f"{ratio:.0f}",
                     "" if target is None else str(target), verdict))

    def not_there(self, name, ours, why, target=None):
        """A row of which one side could not be measured."""
        self._print((name, ours, why, "", "" if target is None else str(target), ""))

    def note(self, text):
        """A remark below the row before it."""
        self._print((text, "", "", "", "", ""))

    def write(self, path, remarks):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(remarks) + "\n\n" + "\n".join(self.lines) + "\n")

    def _print(self, cells):
        line = "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS)) + " |"
        self.lines.append(line)
        print(line, flush=True)


def duration(seconds):
    return f"{seconds * 1e3:.2f} ms" if seconds < 0.1 else f"{seconds * 1e3:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def rate(bytes_, seconds):
    return f"{duration(seconds)}, {bytes_ / seconds / 1e6:.0f} MB/s"


def megabytes(bytes_):
    return f"{bytes_ / 1e6:.1f} MB"
