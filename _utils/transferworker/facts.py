"""What a plan must know of this host and of one place on it: looked up within a time budget, changing nothing."""

import ipaddress
import os
import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from datamover import codecs, digests
from datamover.disk import destination, safepath, survey
from datamover.errors import SpecInvalid
from datamover.flow import compressed
from datamover.host import lease, process
from datamover.host.register import Place, Register
from datamover.host.rundir import ROLES, RunDirs
from datamover.host.seats import Seats
from datamover.selection import Selection
from datamover.version import VERSION
from hosttools import firewall, forbidden
from hosttools.commands import drive

from . import bounds, databases, launch, resting
from .login import Login
from .policy import Policy

BUDGET = 3.0
STANDING = ("entries", "directories", "bytes", "disk_bytes", "estimated")
NAMES = 3 * 1024
MOST_RESTING = 5
MOST_QUEUED = 100
COUNTING = 1.0
MOST_LOOKED_AT, MOST_PACES = 50, 5
TELLING = 64 * 1024 * 1024


@dataclass(frozen=True)
class Host:
    """What the minion knows of itself; `settings` are the options of scope host that are in force here."""

    minion: str
    salt: str
    state_dir: str
    settings: dict
    policy: Policy
    login: Login = Login()


def look(host, ask):
    """The payload of `transfer.facts`."""
    role, path = _question(ask)
    runs, register = RunDirs(host.state_dir), Register(host.state_dir)
    backup = _backup(host, role, path, ask)
    return {
        **_machine(host),
        "backup": backup,
        "unpacks": list(compressed.formats()),
        "digests": list(digests.available()),
        "codecs": list(codecs.available()),
        "interfaces": interfaces(psutil.net_if_addrs(), psutil.net_if_stats()),
        "firewall": {**drive(firewall.survey(), process.run), "forbidden": _never_opened(host)},
        "ports": _ports(host.settings),
        "source": _source(path, ask, backup) if role == "source" else None,
        "destination": _destination(path, register, ask) if role == "destination" else None,
        "policy": {"reasons": _forbidden(host.policy, role, path, ask, backup)},
        "resumable": resumable(runs, path) if role == "destination" else [],
        "paces": paces(runs, ask) if role == "destination" else [],
        "running": [run.transfer for run in runs.all() if run.alive],
        "queued": Seats(host.state_dir).queue()[:MOST_QUEUED],
        "settings": host.settings,
        "trouble": [],
    }


def _question(ask):
    """(role, path as bytes) of a question that is one."""
    ask = ask if isinstance(ask, Mapping) else {}
    if ask.get("role") not in ROLES:
        raise SpecInvalid(f"the question needs a role: {' or '.join(ROLES)}")
    try:
        path = safepath.decode_path(ask.get("path"))
    except (ValueError, TypeError, AttributeError):
        path = b""
    if not path.startswith(b"/") or b"\0" in path:
        raise SpecInvalid("the question needs a path that is absolute, with bytes that are no printable ASCII as %XX")
    return ask["role"], path


def _machine(host):
    return {
        "host": host.minion,
        "version": VERSION,
        "salt": host.salt,
        "python": platform.python_version(),
        "uid": os.geteuid(),
        "systemd": launch.systemd_runs(),
        "boottime": lease.boottime(),
        "hostname": socket.gethostname(),
        "cpus": len(os.sched_getaffinity(0)),
        "load": [round(each, 2) for each in os.getloadavg()],
        "memory_available": psutil.virtual_memory().available,
    }


def interfaces(addresses, states):
    """The addresses that others may reach, of what psutil lists: only interfaces that are up, not loopback."""
    return [
        described
        for name, known in addresses.items()
        if name in states and states[name].isup
        for each in known
        if each.family in (socket.AF_INET, socket.AF_INET6)
        if (described := _interface(name, each, states[name].speed))
    ]


def _interface(name, known, speed):
    address = ipaddress.ip_address(known.address.partition("%")[0])
    if address.is_loopback or address.is_link_local:
        return None
    family = "inet6" if address.version == 6 else "inet"
    told = {"name": name, "address": str(address), "prefix": _prefix(known.netmask, address), "family": family}
    return {**told, "speed": speed}


def _prefix(netmask, address):
    """The length of a netmask; a whole address where the kernel told none."""
    if not netmask:
        return address.max_prefixlen
    return int(ipaddress.ip_address(netmask)).bit_count()


def _ports(settings):
    """Whether the port that was asked for, or one of the range, is free now; the worker will bind it."""
    try:
        taken = {each.laddr.port for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
    except psutil.AccessDenied as error:
        return {"free": False, "trouble": [f"the ports in use cannot be listed: {error}"]}
    return {"free": bool(set(_wanted(settings)) - taken), "trouble": []}


def _wanted(settings):
    """The ports of which one is to be listened on."""
    port, (low, high) = settings["port"], settings["ports"]
    return range(port, port + 1) if port else range(low, high + 1)


def _never_opened(host):
    """What an administrator of this host forbids whoever comes; what depends on who does is for the worker to find."""
    return forbidden.closed(host.state_dir, _wanted(host.settings))


def _backup(host, role, path, ask):
    """What is to be known where a database is backed up; None where something else travels."""
    if (ask.get("settings") or {}).get("type") != "xtrabackup":
        return None
    server = databases.donor_at(path, host.login) if role == "source" else {"server": None, "trouble": ""}
    return {**server, **databases.tools()}


def _source(path, ask, backup):
    """The survey, with as many names in each list as fit; its counts tell how many there are."""
    budget = ask.get("budget", BUDGET)
    if backup:
        return _data_of(backup["server"], path, budget)
    found = survey.survey(path, budget, _selection(ask.get("settings") or {}))
    return {**found, **_bounded(found)}


def _bounded(found):
    lists = {name: bounds.fitting(found[name], NAMES) for name in ("unreadable", "mounts_below")}
    special = {name: bounds.fitting(paths, NAMES) for name, paths in found["special"].items()}
    counts = {"unreadable": len(found["unreadable"]), **found["counts"]}
    return {**lists, "special": special, "counts": counts}


def _data_of(server, path, budget):
    """What lies in the data directory of a server, as a source whose place is its socket."""
    if server is None:
        return {"exists": databases.kind(path) is not None, "kind": databases.kind(path)}
    found = survey.survey(safepath.decode_path(server["datadir"]), budget)
    seen = {**found, **_bounded(found), "special": {}, "identity": [], "newest_mtime_age": None}
    return {**seen, "kind": "socket", "real": safepath.encode_path(os.path.realpath(path)), "mounts_below": []}


def _selection(settings):
    try:
        return Selection(settings.get("include") or (), settings.get("exclude") or ())
    except ValueError as error:
        raise SpecInvalid(f"the question has patterns that are none: {error}") from error


def _destination(path, register, ask):
    found = {**destination.survey(path), "standing": _standing(path, ask)}
    bytes_promised, inodes_promised = register.promised(found["device"])
    holder = register.holder(Place.of(path)) if found["parent_exists"] else None
    return {**found, "reserved_bytes": bytes_promised, "reserved_inodes": inodes_promised, "locked_by": holder}


def _standing(path, ask):
    """How much stands there, if an update is asked for."""
    settings = ask.get("settings") or {}
    if not settings.get("update"):
        return None
    found = survey.survey(path, ask.get("budget", BUDGET), _selection(settings), ours=False)
    return {name: found[name] for name in STANDING} if found["exists"] else None


def resumable(runs, path):
    """What rests of transfers to this very place, the latest first."""
    final = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    found = [run for run in runs.all() if run.role == "destination" and resting.may_rest(run)]
    return [_rest(run) for run in found if resting.final_of(run) == final][:MOST_RESTING]


def _rest(run):
    spec = run.spec
    about = {name: spec[name] for name in ("transfer", "role", "attempt")}
    return {**about, "bytes": resting.disk_bytes(resting.staging_of(spec), COUNTING)}


def paces(runs, ask):
    """How fast the last transfers from each of the hosts were that may send now; tiny ones tell nothing of that, nor do
    those that had a limit.
    """
    told = []
    for peer in {each["host"] for each in ask.get("peers", [])}:
        done = (_pace(run, peer) for run in runs.all()[:MOST_LOOKED_AT] if run.role == "destination")
        told += [pace for pace in done if pace][:MOST_PACES]
    return told


def _pace(run, peer):
    spec, verdict = run.spec, run.verdict or {}  # in this order: the record may go meanwhile
    moved, seconds = verdict.get("moved_bytes", 0), (verdict.get("seconds") or {}).get("total", 0)
    came = verdict.get("result") == "published" and any(each["host"] == peer for each in spec["peers"])
    tells = came and moved >= TELLING and seconds > 0 and not spec["settings"]["limit"]
    return {"host": peer, "bytes": moved, "seconds": seconds} if tells else None


def _forbidden(policy, role, path, ask, backup):
    peers = [peer["host"] for peer in ask.get("peers", [])]
    wanted = (ask.get("settings") or {}).get("special") or []
    data = [safepath.decode_path(backup["server"]["datadir"])] if backup and backup["server"] else []
    return policy.reasons(role, (path, os.path.realpath(path), *data, *map(os.path.realpath, data)), peers, wanted)
