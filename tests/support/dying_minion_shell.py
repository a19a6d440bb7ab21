"""A minion without a master, in a process that is killed when it has made so many renames which replace nothing.

    python dying_minion_shell.py NUMBER
"""
import os
import signal
import sys

import minion_shell

from datamover.disk import kernel

left = iter(range(int(sys.argv[1])))
rename = kernel.rename


def rename_or_die(*words):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*words)


kernel.rename = rename_or_die
minion_shell.main()
