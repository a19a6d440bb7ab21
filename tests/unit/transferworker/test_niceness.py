"""How nice a worker is, by the weights of its unit or by itself."""

import os

import psutil
import pytest

from tests.functional.datamover.ends import OwnProcess
from transferworker.niceness import LEVELS


def taken(level):
    """(priority, priority of the disk) of a process that has taken a level."""
    LEVELS[level].take()
    return os.getpriority(os.PRIO_PROCESS, 0), tuple(psutil.Process().ionice())


@pytest.mark.parametrize(
    ("level", "nice", "disk"), [("none", 0, None), ("normal", 3, None), ("low", 10, (psutil.IOPRIO_CLASS_BE, 7))]
)
def test_a_process_takes_its_level(level, nice, disk):
    with OwnProcess(lambda: taken(level)) as other:
        found = other.result()
    assert found[0] == nice
    assert disk is None or found[1] == disk


def test_weights_and_niceness_say_the_same():
    """Each step of niceness is worth a factor of 1.25."""
    for level in LEVELS.values():
        assert level.weight == pytest.approx(100 / 1.25**level.nice, rel=0.1)
