"""The page docs/clones.md, made of the figures of `./dev bench clones` and of nothing else. Pure."""

import statistics
from typing import NamedTuple

from .machine import BUSY
from .page import BUSY_WORDS

MIB = 1 << 20
OURS, HAND = "ours", "hand"
PROOFS = "proofs"
"""The row of clones that were not timed."""
BEFORE_GO = ("asking", "deciding", "preparing", "arming")
"""The phases of the copy in which nothing of the donor's data is read yet."""
BEYOND = ("install", "start", "replicate", "prove")

PAGE = """\
# Clones of a database, by command and by hand

Written by `./dev bench clones --write-docs` from [clones.json](clones.json); not by hand.

## Extracted and prepared

A MariaDB with so many MB of documents of the machine it runs on, written to all the while, and two replicas, on
machines of the lab that share {cores} cores and one disk. **By hand** is
`mariabackup --backup --stream=xbstream | socat` on the donor, `socat | mbstream -x` and `mariabackup --prepare` on the
replica; for two replicas one stream after the other, and both prepared at once. No digest, no encryption, no flush, no
check. **Ours** is `salt-run replica.clone` from the moment it is typed. Both read with {threads} threads of mariabackup
and prepare in {memory} MiB. The ways alternate; medians of so many runs as stand there.

{table}

- *from go* is what is left of ours from the moment at which the donor is told to begin, its worker and the replicas'
  being there already, as in the [benchmarks](benchmarks.md): what grows with the data. What passes before that is
  told below.
- *copy* and *prepare* are parts of the seconds; ours has the checks and Salt's own start beside them.
- *memory* is the most that all processes of the copy held at once, at the donor and at the worst replica; pages that
  several share count once. Database servers do not count. Ours has the jobs of Salt in it.

{verdicts}{fixed}

## After that

What only ours goes on to do, in seconds for all replicas together, while the primary is written to:

{after}

## Proved

{proofs}

{machine}
{busy}"""
COLUMNS = (
    "MB", "replicas", "way", "runs", "seconds", "of by hand", "from go", "from go, of by hand", "copy", "prepare",
    "memory donor", "memory replica",
)
GOALS = {1: (1.1, "at most 1.1 times by hand"), 2: (1.0, "ahead of by hand")}


class Row(NamedTuple):
    """What was measured: with so much data, for so many replicas, `hand` or `ours`. Sorted as the page shows it."""

    megabytes: int
    replicas: int
    way: str

    @property
    def key(self):
        return f"{self.megabytes} {self.way} {self.replicas}"

    @classmethod
    def of(cls, key):
        megabytes, way, replicas = key.split()
        return cls(int(megabytes), int(replicas), way)


def table(document):
    """The rows, as markdown."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|--:|--:|---|{'--:|' * (len(COLUMNS) - 3)}"
    for row in _rows(document):
        yield _line(document, row)


def _rows(document):
    return sorted(Row.of(key) for key in document["rows"] if key != PROOFS)


def _runs(document, row):
    return document["rows"].get(row.key, {"runs": []})["runs"]


def _line(document, row):
    runs = _runs(document, row)
    figures = [f"{seconds_of(runs):.1f}", _times(ratio_of(document, row))]
    figures += [f"{moving_of(runs):.1f}", _times(ratio_of(document, row, moving_of))] if row.way == OURS else ["", ""]
    steps = [f"{_median(run['steps'][name] for run in runs):.1f}" for name in ("copy", "prepare")]
    memory = [f"{each:.0f} MiB" if each else "not measured" for each in memory_of(runs)]
    cells = [f"{row.megabytes:,}", str(row.replicas), row.way, str(len(runs)), *figures, *steps, *memory]
    return f"| {' | '.join(cells)} |"


def _times(ratio):
    return f"{ratio:.2f}x" if ratio else ""


def seconds_of(runs):
    return _median(run["seconds"] for run in runs)


def moving_of(runs):
    """Seconds of ours from the moment at which the donor is told to begin."""
    return _median(run["seconds"] - _before_go(run) for run in runs)


def _before_go(run):
    phases = run["phases"]
    return run["seconds"] - run["steps"]["copy"] - run["steps"]["prepare"] + sum(phases[name] for name in BEFORE_GO)


def memory_of(runs):
    """MiB at the donor, and at the replica that needs most; the donor is told first. None if nobody looked."""
    known = [list(run["memory"].values()) for run in runs if run["memory"]]
    if not known:
        return None, None
    return _median(donor for donor, *_ in known) / MIB, _median(max(others) for _, *others in known) / MIB


def ratio_of(document, row, seconds=seconds_of):
    """Our seconds as a multiple of those by hand; None if one of them was not measured, or it is by hand."""
    ours, hand = _runs(document, row), _runs(document, row._replace(way=HAND))
    return seconds(ours) / seconds_of(hand) if ours and hand and row.way == OURS else None


def _median(values):
    return statistics.median(list(values))


def verdicts(document):
    """What was hoped for, and whether it was reached."""
    for row in _rows(document):
        if ratio_of(document, row):
            most, words = GOALS[row.replicas]
            whole, moving = ratio_of(document, row), ratio_of(document, row, moving_of)
            who = "1 replica" if row.replicas == 1 else f"{row.replicas} replicas"
            yield (
                f"- {who}, {row.megabytes:,} MB: {words} was the goal; as a whole command {_reached(whole, most)}, "
                f"from go {_reached(moving, most)}."
            )


def _reached(ratio, most):
    return f"{'reached' if ratio <= most else 'not reached'} ({ratio:.2f}x)"


def fixed(document):
    """What ours takes however little there is, as markdown."""
    runs = [run for row in _rows(document) if (row.replicas, row.way) == (1, OURS) for run in _runs(document, row)]
    if not runs:
        return ""
    words = "s of ours for one replica pass before the donor is told to begin, whatever the size"
    return f"\n- {_median(map(_before_go, runs)):.1f} {words}:\n  Salt's start, the checks, workers, keys, the pinhole."


def after(document):
    """The steps after preparing, as markdown."""
    yield f"| MB | replicas | {' | '.join(BEYOND)} |"
    yield f"|--:|--:|{'--:|' * len(BEYOND)}"
    for row in _rows(document):
        if row.way == OURS:
            runs = _runs(document, row)
            cells = [f"{_median(run['steps'][name] for run in runs):.1f}" for name in BEYOND]
            yield f"| {row.megabytes:,} | {row.replicas} | {' | '.join(cells)} |"


def proofs(document):
    """How many clones under write load ended proved."""
    ours = [key for key in document["rows"] if key == PROOFS or Row.of(key).way == OURS]
    runs = [run for key in ours for run in document["rows"][key]["runs"]]
    if not runs:
        return ["Not run yet."]
    proved = [run for run in runs if run["proved"]]
    rows, written = min((run["rows"] for run in proved), default=0), sum(run["written"] for run in proved)
    return [
        f"{len(proved)} of {len(runs)} clones under write load ended proved: every InnoDB table equal at one GTID, "
        f"{rows:,} rows or more compared each time, {written:,} rows written to the primary meanwhile.",
    ]


def page(document):
    head = document["about"]
    host = head["machine"]
    return PAGE.format(
        cores=host["cores"], threads=4, memory=head["memory"] // MIB,
        table="\n".join(table(document)), verdicts="\n".join(verdicts(document)),
        fixed=fixed(document), after="\n".join(after(document)),
        proofs="\n".join(proofs(document)),
        machine=f"On {host['processor']}, {host['cores']} cores, Linux {host['kernel']}, Python {head['python']}; "
        f"{head['load']} cores at work for others before; salt-transfer {head['version']}, {head['date']}.",
        busy=BUSY_WORDS if head["load"] > BUSY else "",
    )
