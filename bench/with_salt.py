"""Whole commands under a real Salt: ours beside cp.push with cp.get_file, in the lab, between machines of their own.

The clock is that of whoever typed the command. Processor time is that of the three machines, with all that runs on
them; memory is not told, because most of it is Salt's own.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from lab import Lab
from lab.errors import LabError
from lab.lab import MASTER
from lab.machine import Machine

from .campaign import NO_TIME
from .data import write_random
from .errors import BenchError
from .figures import GIB, ROLES, Run, median_seconds, ratio, summary
from .goals import MET, NOT_MET, judged
from .machine import others_at_work
from .stage import check_equal

GROUP = "whole commands, with Salt"
GOAL = (20, 100)
FIXED_GOAL = 1.0
SOURCE, TARGET, SMALL = "/srv/data", "/srv/copy", "/srv/small"
SMALL_BYTES = 1 << 20
MOST_RUNS = 5
MACHINES = {"source": "alpha", "destination": "beta"}
MASTER_CONFIG = {"file_recv": True, "file_recv_max_size": 1 << 20, "fileserver_backend": ["roots", "minionfs"]}
SECONDS = 1800


@dataclass(frozen=True)
class Command:
    """One way from alpha to beta; `run(lab, source)` returns when the copy is at TARGET."""

    name: str
    effort: str
    run: object


def copy(lab, source):
    told = lab.run_runner("transfer.copy", src=f"alpha:{source}", dst=f"beta:{TARGET}", timeout=SECONDS)
    if told.returncode:
        raise BenchError(f"transfer.copy ended with status {told.returncode}: {told.stdout[-500:]}")


def push_and_get(lab, source):
    pushed = lab.run_module("alpha", "cp.push", source, timeout=SECONDS).data
    got = lab.run_module("beta", "cp.get_file", f"salt://alpha{source}", TARGET, timeout=SECONDS).data
    if pushed.get("alpha") is not True or got.get("beta") != TARGET:
        raise BenchError(f"cp.push said {pushed}, cp.get_file {got}")


OURS = Command("salt-transfer, whole command", "TLS 1.3, the best digest of both hosts, flushed, read back", copy)
SALT = Command("cp.push, cp.get_file", "AES through the master", push_and_get)
KEY = f"{GROUP} / incompressible / {OURS.name} / {SALT.name}"


def measure(size, runs, no_time=False):
    """The row of this group; left out if there is no time for it."""
    head = {"group": GROUP, "data": "incompressible", "link": "unshaped", "place": "disk", "goal": list(GOAL)}
    if no_time:
        return head | {"left_out": NO_TIME}
    began, load = time.monotonic(), others_at_work()
    try:
        with Lab(minions=tuple(MACHINES.values()), master_config=MASTER_CONFIG) as lab:
            found = compare(lab, size, runs)
    except (BenchError, LabError) as error:
        found = {"failed": str(error)}
    return head | found | {"load": max(load, others_at_work()), "took": round(time.monotonic() - began, 1)}


def compare(lab, size, runs):
    """Both ways in turn, after a small file by each to warm Salt up; the small ones give our fixed cost."""
    alpha = lab.machine("alpha")
    load, small = write_random(alpha.disk(SOURCE), size), write_random(alpha.disk(SMALL), SMALL_BYTES)
    for command in (SALT, OURS):
        once(lab, command, SMALL)
    measured = {OURS: [], SALT: []}
    little = []
    for _ in range(runs):
        for command, taken in measured.items():
            taken.append(once(lab, command, SOURCE))
        little.append(once(lab, OURS, SMALL))
    ours, theirs = (
        {"name": command.name, "effort": command.effort, **summary(taken, load)} for command, taken in measured.items()
    )
    times = ratio(ours, theirs)
    result = {"bytes": load.bytes, "files": 1, "ours": ours, "theirs": theirs, "ratio": times, "rounds": runs}
    return result | {"verdict": judged(times, GOAL), "line": line(little, small, measured[OURS], load)}


def line(little, small, large, load):
    """The fixed cost of a command in seconds, and what a GiB adds, from the medians at two sizes."""
    low, high = median_seconds(little), median_seconds(large)
    slope = (high - low) / (load.bytes - small.bytes)
    fixed = low - slope * small.bytes
    verdict = MET if fixed < FIXED_GOAL else NOT_MET
    return {"fixed": round(fixed, 2), "per_gib": round(slope * GIB, 2), "goal": FIXED_GOAL, "verdict": verdict}


def once(lab, command, source):
    """One run into a place that is empty again, checked."""
    machines = {role: lab.machine(name) for role, name in MACHINES.items()}
    target = Path(machines["destination"].disk(TARGET))
    before = processor_seconds(lab)
    began = time.monotonic()
    command.run(lab, source)
    seconds = time.monotonic() - began
    used = {role: after - before[role] for role, after in processor_seconds(lab).items()}
    check_equal(Path(machines["source"].disk(source)), target)
    target.unlink()
    return Run(seconds, used, dict.fromkeys(ROLES, 0))


def processor_seconds(lab):
    """{role: seconds} that each machine has used since it booted."""
    return {role: used_by(lab.machine(name)) for role, name in {**MACHINES, "master": MASTER}.items()}


def used_by(machine: Machine):
    lines = Path(machine.cgroup, "cpu.stat").read_text(encoding="ascii").split()
    return int(lines[lines.index("usage_usec") + 1]) / 1e6
