"""The page docs/clones.md, made of the figures of `./dev bench clones` and of nothing else. Pure."""

import statistics

from .machine import BUSY
from .page import BUSY_WORDS

MIB = 1 << 20
PROOFS = "proofs"
"""The row of clones that were not timed."""
BEYOND = ("install", "start", "replicate", "prove")

PAGE = """\
# Clones of a database, by command and by hand

Written by `./dev bench clones --write-docs` from [clones.json](clones.json); not by hand.

## Extracted and prepared

A MariaDB with {megabytes} MB of documents of the machine it runs on, written to all the while, and two replicas, on
machines of the lab that share {cores} cores and one disk. **By hand** is
`mariabackup --backup --stream=xbstream | socat` on the donor, `socat | mbstream -x` and `mariabackup --prepare` on the
replica; for two replicas one stream after the other, and both prepared at once. No digest, no encryption, no flush, no
check. **Ours** is `salt-run replica.clone` from the moment it is typed. Both read with {threads} threads of mariabackup
and prepare in {memory} MiB. The ways alternate; medians of so many runs as stand there.

{table}

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


def table(document):
    """The rows, as markdown."""
    yield "| replicas | way | runs | seconds | of by hand | copy | prepare | memory donor | memory replica |"
    yield "|--:|---|--:|--:|--:|--:|--:|--:|--:|"
    for key, row in _rows(document):
        yield _line(document, *key.split(), row["runs"])


def _rows(document):
    return [(key, row) for key, row in document["rows"].items() if key != PROOFS]


def _line(document, way, count, runs):
    ratio = ratio_of(document, count) if way == "ours" else None
    steps = [f"{_median(run['steps'][name] for run in runs):.1f}" for name in ("copy", "prepare")]
    memory = [f"{each:.0f} MiB" if each else "not measured" for each in memory_of(runs)]
    cells = [count, way, str(len(runs)), f"{seconds_of(runs):.1f}", f"{ratio:.2f}x" if ratio else "", *steps, *memory]
    return f"| {' | '.join(cells)} |"


def seconds_of(runs):
    return _median(run["seconds"] for run in runs)


def memory_of(runs):
    """MiB at the donor, and at the replica that needs most; the donor is told first. None if nobody looked."""
    known = [list(run["memory"].values()) for run in runs if run["memory"]]
    if not known:
        return None, None
    return _median(donor for donor, *_ in known) / MIB, _median(max(others) for _, *others in known) / MIB


def ratio_of(document, count):
    """Our seconds as a multiple of those by hand; None if one of them was not measured."""
    ours, hand = (document["rows"].get(f"{way} {count}") for way in ("ours", "hand"))
    return seconds_of(ours["runs"]) / seconds_of(hand["runs"]) if ours and hand else None


def _median(values):
    return statistics.median(list(values))


def verdicts(document):
    """What was hoped for, and whether it was reached."""
    for count, most, words in (("1", 1.1, "at most 1.1 times by hand"), ("2", 1.0, "ahead of by hand")):
        ratio = ratio_of(document, count)
        if ratio:
            reached = "reached" if ratio <= most else "not reached"
            who = "1 replica" if count == "1" else f"{count} replicas"
            yield f"- {who}: {words} was the goal; {reached} ({ratio:.2f}x)."


def fixed(document):
    """What ours takes however little there is, as markdown."""
    runs = document["rows"].get("ours 1", {"runs": []})["runs"]
    spans = [run["seconds"] - run["steps"]["copy"] - run["steps"]["prepare"] + _first_byte(run) for run in runs]
    if not spans:
        return ""
    words = "s of ours for one replica pass before the first byte moves, whatever the size"
    return f"\n- {_median(spans):.1f} {words}:\n  Salt's start, the checks, two workers, their keys and the pinhole."


def _first_byte(run):
    return (run.get("phases") or {}).get("to_first_byte", 0.0)


def after(document):
    """The steps after preparing, as markdown."""
    yield f"| replicas | {' | '.join(BEYOND)} |"
    yield f"|--:|{'--:|' * len(BEYOND)}"
    for key, row in _rows(document):
        way, count = key.split()
        if way == "ours":
            cells = [f"{_median(run['steps'][name] for run in row['runs']):.1f}" for name in BEYOND]
            yield f"| {count} | {' | '.join(cells)} |"


def proofs(document):
    """How many clones under write load ended proved."""
    runs = [run for key, row in document["rows"].items() if not key.startswith("hand") for run in row["runs"]]
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
        megabytes=head["megabytes"], cores=host["cores"], threads=4, memory=head["memory"] // MIB,
        table="\n".join(table(document)), verdicts="\n".join(verdicts(document)),
        fixed=fixed(document), after="\n".join(after(document)),
        proofs="\n".join(proofs(document)),
        machine=f"On {host['processor']}, {host['cores']} cores, Linux {host['kernel']}, Python {head['python']}; "
        f"{head['load']} cores at work for others before; salt-transfer {head['version']}, {head['date']}.",
        busy=BUSY_WORDS if head["load"] > BUSY else "",
    )
