"""The unit of systemd that runs the database: looked at, stopped, masked, started with options of ours."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from datamover.host import documents, process
from hosttools.commands import Command, words
from replicaplan.errors import NoDatabase, ServiceFailed, StartFailed

DROP_INS = Path("/etc/systemd/system")
DROP_IN = "salt-transfer-replica.conf"
VARIABLE = "MYSQLD_OPTS"
STOPPING, STARTING = 1000.0, 1000.0
SHOWN = ("LoadState", "ActiveState", "SubState", "MainPID", "UnitFileState", "User", "FragmentPath")
JOURNAL_LINES = 15


@dataclass(frozen=True)
class Unit:
    """A unit by its name, and what systemd knew of it at one moment."""

    name: str
    load: str
    active: str
    pid: int
    enabled: str
    user: str

    @property
    def exists(self):
        return self.load in ("loaded", "masked")

    @property
    def masked(self):
        return self.load == "masked"

    @property
    def runs(self):
        return self.active in ("active", "activating", "reloading")

    def as_dict(self):
        return {
            "name": self.name, "active": self.active, "masked": self.masked, "enabled": self.enabled, "pid": self.pid,
        }


def look(name):
    """The unit as it is now."""
    result = process.run(Command(("systemctl", "show", f"--property={','.join(SHOWN)}", "--", name)))
    found = dict(line.split("=", 1) for line in result.stdout.decode(errors="replace").splitlines() if "=" in line)
    return Unit(
        name, found.get("LoadState", ""), found.get("ActiveState", ""), int(found.get("MainPID") or 0),
        found.get("UnitFileState", ""), found.get("User", ""),
    )


def find(names):
    """The first of these units that there is."""
    if not Path("/run/systemd/system").is_dir():
        raise NoDatabase("systemd does not run on this host; only a database that is a unit of systemd can be handled.")
    for name in names:
        unit = look(name)
        if unit.exists:
            return unit
    raise NoDatabase(f"This host has no unit of a database: none of {', '.join(names)}; replica:unit can name it.")


def stop(name):
    """Stop it and return when it has ended."""
    _systemctl("stop", name, patience=STOPPING)


def mask(name):
    """Nobody can start it any more, neither systemd nor configuration management, also after a reboot."""
    _systemctl("mask", name)


def hold_down(name):
    """Stop it and let nobody start it, who has not done so in between.

    Not masked first: what its file says of being stopped, with how much patience for one, would not count then.
    """
    stop(name)
    mask(name)
    if look(name).runs:
        unmask(name)
        raise ServiceFailed(f"{name} was started by somebody at the moment at which it was stopped.")


def unmask(name):
    _systemctl("unmask", name)


def start(name):
    """Start it and return when it says that it is ready; StartFailed carries the last words of its journal."""
    process.run(Command(("systemctl", "reset-failed", "--", name), ok=None))  # what failed before must not count
    result = process.run(Command(("systemctl", "start", "--", name)), STARTING)
    if result.status != 0:
        raise StartFailed(f"{name} did not start: {words(result)}. Its last words: {last_words(name)}")


def last_words(name):
    """The end of its journal, on one line."""
    argv = ("journalctl", f"--unit={name}", f"--lines={JOURNAL_LINES}", "--output=cat", "--no-pager")
    said = process.run(Command(argv)).stdout.decode("utf-8", "replace")
    return "; ".join(line.strip() for line in said.splitlines() if line.strip())[-2000:] or "none"


def drop_in(name):
    """Where options of ours for the unit are."""
    return DROP_INS / f"{name}.d" / DROP_IN


def set_options(name, *options):
    """Let its next start be with these options of the server, behind those that its administrator has given it.

    They go through the variable that every MariaDB's unit takes, and which the last file that sets it decides.
    """
    if drop_in(name).exists():
        clear_options(name)  # ours must not count as the administrator's
    place = drop_in(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(".part")
    value = _quoted(" ".join([*_given_options(name), *options]))
    part.write_text(f'[Service]\nEnvironment="{VARIABLE}={value}"\n')
    os.replace(part, place)
    documents.flush_directory(place.parent)
    reload()


def _given_options(name):
    """What other files of the unit set the variable to, as words."""
    shown = process.run(Command(("systemctl", "show", "--property=Environment", "--value", "--", name))).stdout
    given = [word.partition("=") for word in shlex.split(shown.decode(errors="replace"))]
    return next((value.split() for variable, _, value in reversed(given) if variable == VARIABLE), [])


def _quoted(value):
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def options(name):
    """The text of what `set_options` made before; empty if it did not."""
    try:
        return drop_in(name).read_text()
    except FileNotFoundError:
        return ""


def restore_options(name, text):
    """What was there before."""
    if text:
        drop_in(name).write_text(text)
        reload()
    else:
        clear_options(name)


def clear_options(name):
    """Remove what `set_options` made; nothing there is no error."""
    drop_in(name).unlink(missing_ok=True)
    if drop_in(name).parent.is_dir() and not any(drop_in(name).parent.iterdir()):
        drop_in(name).parent.rmdir()
    reload()


def reload():
    _systemctl("daemon-reload")


def _systemctl(verb, *names, patience=60.0):
    result = process.run(Command(("systemctl", verb, "--quiet", *(("--", *names) if names else ()))), patience)
    if result.status != 0:
        raise ServiceFailed(f"systemctl {' '.join([verb, *names])} failed: {words(result)}")
