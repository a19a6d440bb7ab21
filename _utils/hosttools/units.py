"""The worker's transient unit: the command line that makes systemd start it, watch it and undo after it.

The unit has a control group of its own, so a restart of the minion does not touch it. It may write only below the
paths it declares. What runs when it has ended, in whatever way, is told to systemd beforehand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .commands import Command
from .errors import BadUnit
from .iptables import LOCK_FILE

START_TIMEOUT, STOP_TIMEOUT = 60, 90

_NAME = re.compile(r"[0-9A-Za-z_.-]{1,200}")
_UNSPEAKABLE = re.compile(r"""["\\\x00-\x1f\x7f]""")


@dataclass(frozen=True)
class Unit:
    """What systemd has to know. `argv` must say when it is ready, and that it lives every `watchdog` seconds.

    `undo` runs when `argv` has ended; both write only below `writable`.
    """

    name: str
    description: str
    argv: tuple[str, ...]
    undo: tuple[str, ...]
    writable: tuple[bytes, ...]
    log: str
    watchdog: int
    weight: int = 100
    """Its share of processors and disks where others want them too, beside 100 for another service."""


def unit_name(transfer: str, attempt: int, role: str) -> str:
    return f"salt-transfer-{transfer}-{attempt}-{role}"


def start(unit: Unit) -> Command:
    """The command that starts the unit and returns when it is ready, or fails with systemd's words."""
    if not _NAME.fullmatch(unit.name):
        raise BadUnit(f"{unit.name!r} is no name for a unit.")
    properties = [f"--property={name}={value}" for name, value in _properties(unit)]
    called = ["systemd-run", "--collect", f"--unit={unit.name}", "--service-type=notify"]
    return Command(
        (*called, f"--description={unit.description}", *properties, "--", *map(_without_variables, unit.argv))
    )


def _properties(unit: Unit) -> list[tuple[str, object]]:
    return [
        ("WorkingDirectory", "/"),
        ("StandardInput", "null"),
        ("StandardOutput", f"append:{unit.log}"),
        ("StandardError", f"append:{unit.log}"),
        ("UMask", "0077"),
        ("TimeoutStartSec", START_TIMEOUT),
        ("TimeoutStopSec", STOP_TIMEOUT),
        ("WatchdogSec", unit.watchdog),
        ("WatchdogSignal", "SIGKILL"),
        ("KillMode", "control-group"),
        ("ExecStopPost", " ".join(_word(_without_variables(word)) for word in unit.undo)),
        ("ProtectSystem", _protection(unit)),
        ("ReadWritePaths", " ".join(_writable(unit))),
        ("NoNewPrivileges", "yes"),
        ("CPUWeight", unit.weight),
        ("IOWeight", unit.weight),
    ]


def _protection(unit: Unit) -> str:
    """Under strict the root directory itself stays read-only, whatever is declared."""
    return "full" if "/" in map(speakable, unit.writable) else "strict"


def _writable(unit: Unit) -> list[str]:
    """The declared paths, and what the firewall's tools write where it is there."""
    paths = dict.fromkeys(speakable(path) for path in unit.writable)
    return [*map(_word, paths), f"-{LOCK_FILE}"]


def speakable(path: bytes) -> str:
    """The path, or the nearest directory above it whose name survives in a unit file.

    systemd takes any UTF-8 on its bus but writes quotes and backslashes of a path to the unit file as they are, and
    reads them back otherwise after a daemon-reload.
    """
    while path != b"/":
        text = path.decode("utf-8", "replace")
        if "\ufffd" not in text and not _UNSPEAKABLE.search(text):
            return text
        path = path.rpartition(b"/")[0] or b"/"
    return "/"


def _word(text: str) -> str:
    """One word of a property, as systemd unquotes it."""
    if "\n" in text:
        raise BadUnit(f"{text!r} cannot stand in a unit: it has more than one line.")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _without_variables(word: str) -> str:
    """A word in which systemd finds no variable to replace."""
    return word.replace("$", "$$")
