"""Starts a worker that outlives whoever started it and waits until it is ready: a transient unit, or a guardian.

A unit has a control group of its own, so a restart of salt-minion does not touch it. Without systemd the guardian, in a
session of its own and no child of anybody here, waits for the worker and undoes after it.
"""

import contextlib
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import datamover
from datamover.disk.safepath import decode_path
from datamover.errors import StartFailed
from datamover.host import process
from datamover.host.register import Register
from datamover.host.trail import Trail
from hosttools import iptables, units
from hosttools.commands import Command

from . import control, niceness, notify, probes

PACKAGES = ("datamover", "hosttools", "transferworker")
PATIENCE = 90.0
SYSTEMD_RUNS = Path("/run/systemd/system")
WORDS_TOLD = 2000


def systemd_runs():
    """Whether systemd manages this host and takes orders from us."""
    return SYSTEMD_RUNS.is_dir() and os.geteuid() == 0


def start(run, spec):
    """Start the worker of `run`; returns when it is ready, else raises with its own words."""
    copy_code(run)
    _make_what_is_shared(run.path.parents[1])
    started, said = _start_unit(run, spec) if systemd_runs() else _start_guardian(run, spec)
    if not started:
        raise _failure(run, said)


def _make_what_is_shared(state_dir):
    """Directories that a confined worker could not make itself."""
    Register(state_dir).make()
    with contextlib.suppress(OSError):  # the trail is no reason to refuse anything; the worker will say so
        Trail(state_dir).make()


def copy_code(run):
    """The program as it is now: a later sync of the minion's modules must not change a running worker."""
    origin = Path(datamover.__file__).resolve().parents[1]
    for package in PACKAGES:
        # With what Python compiled of it before, which halves the time to start.
        shutil.copytree(origin / package, run.code / package, dirs_exist_ok=True)


def command(run, *words):
    """The command line of the worker's program."""
    program = run.code / "transferworker" / "__main__.py"
    return (sys.executable, "-I", "-B", str(program), *words, str(run.path))


def _start_unit(run, spec):
    unit = units.Unit(
        name=unit_name(spec),
        description=f"salt-transfer {spec['transfer']}, {spec['role']}",
        argv=command(run, "run"),
        undo=command(run, "undo"),
        writable=_writable(run, spec),
        log=str(run.log),
        watchdog=spec["settings"]["lease"],
        weight=niceness.LEVELS[spec["settings"]["nice"]].weight,
    )
    result = process.run(units.start(unit), PATIENCE)
    return result.status == 0, (result.stderr or result.stdout).decode(errors="backslashreplace").strip()


def unit_name(spec):
    return units.unit_name(spec["transfer"], spec["attempt"], spec["role"])


def _writable(run, spec):
    """All that a worker must write: its records; at a destination the register and the final name's parent too."""
    state_dir = run.path.parents[1]
    own = (os.fsencode(run.path), os.fsencode(Trail(state_dir).directory))
    if spec["role"] == "source" or probes.is_probe(spec):
        return own
    return (*own, os.fsencode(Register(state_dir).directory), os.path.dirname(_real(run, spec)))


def _real(run, spec):
    """Where the final name really lies; of the spec that was accepted, whatever has become of the one on the disk."""
    place = run.read("place")
    return decode_path(place["real"] if place else spec["path"])


def stop(run):
    """Return when the unit of an ended run is gone, its stop action included."""
    if systemd_runs():
        process.run(Command(("systemctl", "stop", unit_name(run.spec))), PATIENCE)


def _start_guardian(run, spec):
    reading, writing = os.pipe()
    try:
        try:
            _fork_guardian(run, writing, (*_writable(run, spec), os.fsencode(iptables.LOCK_FILE)))
        finally:
            os.close(writing)
        return _becomes_ready(reading), ""
    finally:
        os.close(reading)


def _fork_guardian(run, writing, writable):
    with open(run.log, "ab", opener=_private) as log:
        # It forks at once and its first process ends, so that nobody here is its parent.
        subprocess.run(
            [*command(run, "guard"), str(writing), *writable],
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=process.ENVIRONMENT,
            start_new_session=True,
            check=False,
        )


def _becomes_ready(reading):
    ready, _, _ = select.select([reading], [], [], PATIENCE)
    return bool(ready) and os.read(reading, len(notify.READY)) == notify.READY


def _private(path, flags):
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _failure(run, said):
    verdict = run.verdict
    if verdict and verdict["error"]:
        return control.Refusal(verdict["error"])
    words = "\n".join(filter(None, (said, _log_tail(run))))[-WORDS_TOLD:]
    return StartFailed(f"the worker could not be started: {words or 'it said nothing'}")


def _log_tail(run):
    try:
        return run.log.read_text(errors="backslashreplace")[-WORDS_TOLD:].strip()
    except FileNotFoundError:
        return ""
