"""What came of the rows, gathered in one file over as many runs as it takes; a verdict over all of it.

Each line of the file is a test that ended: how, after how many seconds, what its faults hit, on which commit. The last
one of a test counts. A test of deaths that hit nothing, because its faults came too late, has not been run. There is a
verdict only about one commit, without changes.
"""

import json
import re
import subprocess
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.faults.schedule import PHASES

HIT = re.compile(r"(.+) in (\w+) with (\d+) bytes landed")
MUST_HIT = "tests/faults/test_deaths.py"
PASSED = "passed"
DIRTY = "-dirty"
LONGEST_NAME = 200


@dataclass(frozen=True)
class Ended:
    """How a test ended. `hits` are sentences as HIT has them, `why` the last line of what it said otherwise."""

    test: str
    outcome: str
    seconds: float = 0.0
    hits: tuple[str, ...] = ()
    why: str = ""
    commit: str = ""

    @property
    def done(self):
        """Whether it need not be run again."""
        return self.outcome == PASSED and bool(self.hits or not self.test.startswith(MUST_HIT))


def read(file: Path) -> dict[str, Ended]:
    """What came of each test, by its name."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    told = [Ended(**{**line, "hits": tuple(line["hits"])}) for line in map(json.loads, lines)]
    return {each.test: each for each in told}


def commit():
    """The commit that is checked out, with a mark if it was changed since."""
    told = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(told, capture_output=True, text=True, check=False).stdout.strip()


class Recorder:
    """A plugin of pytest: runs what is not done yet until the time is over, and writes down how each test ended."""

    def __init__(self, file: Path, seconds: float):
        self._file = file
        self._end = time.monotonic() + seconds
        self._reports = {}
        self._commit = commit()
        self.asked = []

    def pytest_sessionstart(self, session):
        self._session = session

    @pytest.hookimpl(trylast=True)  # after those that select by words
    def pytest_collection_modifyitems(self, config, items):
        self.asked = [item.nodeid for item in items]
        done = {name for name, ended in read(self._file).items() if ended.done}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in done])
        items[:] = [item for item in items if item.nodeid not in done]

    def pytest_runtest_logreport(self, report):
        self._reports.setdefault(report.nodeid, []).append(report)

    def pytest_runtest_logfinish(self, nodeid):
        ended = asdict(end_of(nodeid, self._reports.pop(nodeid), self._commit))
        with open(self._file, "a", encoding="utf-8") as file:
            file.write(json.dumps(ended) + "\n")
        if time.monotonic() > self._end:
            self._session.shouldstop = "the time is over; the same command goes on"


def end_of(test, reports, on):
    """What the reports of a test's parts come to."""
    bad = [each for each in reports if each.outcome != PASSED]
    told = {value for each in reports for name, value in each.user_properties if name == "hit"}
    return Ended(
        test=test,
        outcome=bad[0].outcome if bad else PASSED,
        seconds=round(sum(each.duration for each in reports), 1),
        hits=tuple(sorted(told)),
        why=last_line(bad[0]) if bad else "",
        commit=on,
    )


def last_line(report):
    said = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longreprtext
    return next(reversed(said.strip().splitlines()), "")[:LONGEST_NAME]


# --- the verdict ------------------------------------------------------------------------------------------------------


def struck(ended):
    """How often each (fault, phase) was hit."""
    return Counter(HIT.fullmatch(hit).group(1, 2) for each in ended for hit in each.hits)


def troubles(ended: dict[str, Ended], asked: list[str]) -> list[str]:
    """Sentences about what is missing in a record of these tests, and what is wrong in it."""
    waiting = [test for test in asked if test not in ended]
    there = [ended[test] for test in asked if test in ended]
    bad = [f"{each.test} {each.outcome}: {each.why}" for each in there if each.outcome != PASSED]
    late = [f"{each.test} came too late and hit nothing" for each in there if each.outcome == PASSED and not each.done]
    rest = [f"{len(waiting)} of {len(asked)} tests have not run yet; the same command goes on"] if waiting else []
    return [*bad, *late, *rest]


def mixed(ended: dict[str, Ended]) -> list[str]:
    """Sentences about why what these tests came to says nothing about one commit."""
    commits = {each.commit for each in ended.values()}
    changed = sorted(each for each in commits if not each or each.endswith(DIRTY))
    several = [f"the rows ran on several commits: {', '.join(sorted(commits))}; begin another record"]
    dirty = [f"the rows ran on {each or 'no commit'}, with changes that are not committed" for each in changed]
    return [*(several if len(commits) > 1 else []), *dirty]


def missed(ended: dict[str, Ended]) -> list[str]:
    """Sentences about phases in which nothing struck."""
    phases = {phase for _, phase in struck(ended.values())}
    return [f"nothing struck while a worker was {phase}" for phase in PHASES if phase not in phases]


def tell(ended: dict[str, Ended], asked: list[str]) -> list[str]:
    """What a record of these tests says, line by line."""
    there = [ended[test] for test in asked if test in ended]
    strokes = [f"{fault:30} in {phase:12} {count:4} times" for (fault, phase), count in sorted(struck(there).items())]
    passed, seconds = sum(each.done for each in there), sum(each.seconds for each in there)
    commits = ", ".join(sorted({each.commit for each in there})) or "none"
    return [*strokes, f"{passed} of {len(asked)} tests passed, {seconds:.0f} s in all, on the commits {commits}"]
