"""What a plan must know of this host for type=xtrabackup: the server that a socket leads to, and the tools."""

import os
import shutil
import stat

from datamover.disk import safepath
from datamover.disk.metadata import kind_name
from datamover.host import process
from hosttools import donor, hotbackup
from hosttools.commands import drive
from hosttools.errors import HostToolError

from . import hotbackups
from .login import InMemory

PATIENCE = 10.0
UNPACKERS = tuple(dict.fromkeys(hotbackup.UNPACKERS.values()))


def tools():
    """Backup tools of this host with their versions, and what unpacks their streams."""
    return {
        "tools": drive(hotbackup.versions(hotbackup.NAMES), _run),
        "unpackers": [name for name in UNPACKERS if shutil.which(name, path=process.ENVIRONMENT["PATH"])],
    }


def donor_at(path, login):
    """What the server behind the socket `path` tells of itself, and why not if it does not."""
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError as error:
        return {"server": None, "trouble": f"there is no socket: {error.strerror}"}
    if not is_socket:
        return {"server": None, "trouble": "it is no socket; the source of a backup is the socket of its server"}
    try:
        with InMemory(login, os.fsdecode(path)) as access:
            told = drive(donor.about((hotbackups.client(), access)), _run)
    except HostToolError as error:
        return {"server": None, "trouble": error.text}
    return {"server": {**told, "datadir": safepath.encode_path(_directory(told["datadir"]))}, "trouble": ""}


def _directory(told):
    return os.fsencode(told).rstrip(b"/") or b"/"


def kind(path):
    """What stands at a path, by its name; None if nothing does."""
    try:
        return kind_name(os.lstat(path).st_mode).lower()
    except OSError:
        return None


def _run(command):
    return process.run(command, PATIENCE)
