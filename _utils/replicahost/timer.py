"""The timer of systemd that takes back what nobody goes on with, and the program that it runs.

Both are there only as long as anything is held; the program is a copy, which a later sync of the minion's modules does
not change.
"""

import contextlib
import filecmp
import os
import shutil
import sys
from pathlib import Path

import datamover
from datamover.host import flock, process
from hosttools.commands import Command, words
from replicaplan.errors import ReplicaRefused, ServiceFailed

from . import unit as units

NAME = "salt-transfer-replica"
PACKAGES = ("datamover", "hosttools", "replicaplan", "replicahost")
UNITS = Path("/etc/systemd/system")
INTERVAL = 5
"""Seconds of the clock, because a span of time would begin anew whenever systemd reads its units again."""
ENDING = 40.0

SERVICE = """\
[Unit]
Description=Take back changes to the database that nobody goes on with
[Service]
Type=oneshot
ExecStart={command}
"""
TIMER = """\
[Unit]
Description=Look for changes to the database that nobody goes on with
[Timer]
OnCalendar=*:*:0/{interval}
AccuracySec=1
[Install]
WantedBy=timers.target
"""


def begin(place):
    """Let the timer look at the holds in this directory; nothing is held before it does."""
    _copy_code(place / "code")
    program = place / "code" / "replicahost" / "__main__.py"
    command = " ".join(_quoted(word) for word in (sys.executable, "-I", "-B", str(program), str(place)))
    (UNITS / f"{NAME}.service").write_text(SERVICE.format(command=command))
    (UNITS / f"{NAME}.timer").write_text(TIMER.format(interval=INTERVAL))
    units.reload()
    result = process.run(Command(("systemctl", "enable", "--quiet", "--now", f"{NAME}.timer")))
    if result.status != 0:
        raise ServiceFailed(f"The timer that would take changes back cannot be started: {words(result)}")


def _quoted(word):
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    return f'"{escaped}"'


def _copy_code(place):
    """The program as it is now: a later sync of the minion's modules must not change it."""
    origin = Path(datamover.__file__).resolve().parents[1]
    options = {"ignore": shutil.ignore_patterns("__pycache__"), "copy_function": _renew_file, "dirs_exist_ok": True}
    for package in PACKAGES:
        shutil.copytree(origin / package, place / package, **options)


def _renew_file(source, target):
    """Only if it differs, and whole: the timer's program may just be reading it."""
    if os.path.exists(target) and filecmp.cmp(source, target, shallow=False):
        return
    part = f"{target}.part"
    shutil.copyfile(source, part)
    os.replace(part, target)


@contextlib.contextmanager
def lock(place):
    """Nobody removes the timer while somebody begins to need it."""
    path = place / "guard.lock"  # the name in older versions: a timer that began under one takes this lock too
    held = flock.hold(path, 60.0)
    if held is None:
        raise ReplicaRefused([f"{path} is locked by somebody for longer than it should be."])
    with held:
        yield


def remove(place):
    """A sentence in a list if that does not work now: it stays whole until systemd has let go of the timer, and its
    next run tries again.
    """
    result = process.run(Command(("systemctl", "disable", "--quiet", "--now", f"{NAME}.timer")), ENDING)
    if result.status != 0:
        return [f"The timer that takes changes back cannot be ended yet: {words(result)}"]
    for suffix in ("service", "timer"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(UNITS / f"{NAME}.{suffix}")
    for path in (place / "code", *place.glob(".*.new"), *place.glob(".*.over")):
        shutil.rmtree(path, ignore_errors=True)
    units.reload()
    return []
