"""A process of whose memory there are no pictures; in one of its own, since there is no way back."""

import json
import subprocess
import sys

from tests.conftest import CHECKOUT

TRY = """\
import ctypes, json, resource, subprocess, sys
sys.path.insert(0, sys.argv[1])
from datamover.host import memory

PR_GET_DUMPABLE = 3
memory.keep_to_itself()
child = subprocess.run(["sh", "-c", "ulimit -Sc; ulimit -Hc"], capture_output=True, text=True, check=True)
print(json.dumps([
    ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE), child.stdout.split()
]))
"""


def test_neither_it_nor_a_program_that_it_starts_leaves_a_picture():
    program = [sys.executable, "-c", TRY, str(CHECKOUT / "_utils")]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [0, [0, 0], ["0", "0"]]
