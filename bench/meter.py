"""Runs one command line for one end and tells what it cost: `python -I -S bench/meter.py`, one line of JSON each way.

    we say  {"up": true}               the clock may start
    we hear {"line", "port", "serves"}
    we say  {"ready": true}            when `port` is listened on; not said without one
    we hear a line                     only if it serves: then it is told to end
    we say  {"status": 0}              the clock may stop
    we say  {"processor": seconds}     of all processes that came of it, also of those that went their own way

It imports little, because it may not cost what it measures; the command line is what a person would give to bash.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
LISTENING = "0A"
READY_SECONDS = 20
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
SHELL = ("/bin/bash", "-o", "pipefail", "-c")
QUIET = ((os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, 2, 1))


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    say({"up": True})
    order = json.loads(sys.stdin.readline())
    process = os.posix_spawn(SHELL[0], [*SHELL, order["line"]], os.environ, file_actions=QUIET, setsid=True)
    ready = bool(order["port"]) and await_listener(order["port"], process)
    if ready:
        say({"ready": True})
    elif order["port"]:
        signal_all(process, signal.SIGKILL)
    if ready and order["serves"]:
        sys.stdin.readline()
        signal_all(process, signal.SIGTERM)
    say({"status": 0 if ready and order["serves"] else status_of(process)})
    wait_for_all()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    say({"processor": used.ru_utime + used.ru_stime})


def signal_all(process, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, number)


def await_listener(port, process):
    """Whether the port came to be listened on while the process lived."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and not os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if any(listens(read(table), port) for table in TABLES):
            return True
        time.sleep(0.002)
    return False


def listens(table, port):
    """Whether a table of /proc/net has a listener on this port."""
    rows = (line.split() for line in table.splitlines()[1:])
    return any(row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port for row in rows)


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def status_of(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def wait_for_all():
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def say(document):
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main()
