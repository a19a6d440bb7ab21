"""What processes below a root hold in memory together."""

import os
import subprocess
import sys
import time

from bench.parts import PeakByPart

from tests.support.waiting import eventually

MIB = 1 << 20
HOLDS = "import sys; held = bytes(64 << 20); held = bytearray(held); print('there', flush=True); sys.stdin.read()"


def test_the_peak_is_what_new_processes_held_at_once_up_to_a_moment():
    before = time.monotonic()
    with PeakByPart({"here": os.getpid()}) as peaks:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([sys.executable, "-c", HOLDS], **pipes) as child:
            child.stdout.readline()
            assert eventually(lambda: peaks.until(time.monotonic())["here"] > 60 * MIB, 30)
            child.stdin.close()
    assert 60 * MIB < peaks.until(time.monotonic())["here"] < 250 * MIB
    assert peaks.until(before) == {"here": 0}
