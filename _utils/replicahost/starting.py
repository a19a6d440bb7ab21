"""With what program and options a unit starts its server: so its configuration can be read while it is down."""

import re
import shlex
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from datamover.host import process
from hosttools.commands import ANY, Command

SHOWN = ("ExecStart", "Environment", "EnvironmentFiles")
# The server itself, or a shell that becomes it at its end, as of Debian's unit.
CALL = re.compile(
    r"argv\[\]=(/\S*/(?:ba|da)?sh -c (?P<script>.*)\bexec )?"
    r"(?P<program>/[^\s\"'=]*/(?:mariadbd|mysqld))(?P<options>(?: +\S+)*) ; ignore_errors="
)
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
NOT_PLAIN = re.compile(r"[;&|<>()`\"'\\*?\[\]$]")
READS_A_FILE = re.compile(r"(?:^|[;&|]) *(?:\.|source) ")


@dataclass(frozen=True)
class Start:
    """The server's program and the options that its unit gives it."""

    program: str
    options: tuple


def of(unit):
    """How this unit starts its server; None if that cannot be read: masked, or something in between starts it."""
    shown = process.run(Command(("systemctl", "show", f"--property={','.join(SHOWN)}", "--", unit), ok=ANY))
    return read(shown.stdout.decode("utf-8", "replace"))


def read(shown):
    """The same, in what systemctl shows of a unit."""
    found = defaultdict(list)
    for line in shown.splitlines():
        name, _, value = line.partition("=")
        found[name].append(value)
    called = CALL.search(found["ExecStart"][0]) if len(found["ExecStart"]) == 1 else None
    if called is None or READS_A_FILE.search(called["script"] or ""):
        return None
    try:
        known = _environment(found)
        options = [option for word in called["options"].split() for option in _expanded(word, known)]
    except ValueError:
        return None
    return Start(called["program"], tuple(options))


def _expanded(word, known):
    """What becomes of a word: a variable that stands alone is split into words. ValueError if only a shell knows."""
    if NOT_PLAIN.search(VARIABLE.sub("", word)):
        raise ValueError(word)
    text = VARIABLE.sub(lambda found: known.get(found[1] or found[2], ""), word)
    return text.split() if VARIABLE.fullmatch(word) else [text]


def _environment(found):
    """The variables of the unit; those in its files count more."""
    own = [word for text in found["Environment"] for word in shlex.split(text)]
    read_in = [line for each in found["EnvironmentFiles"] for line in _lines(each.rpartition(" (")[0])]
    pairs = [(name, value) for name, _, value in (each.partition("=") for each in own)]
    return dict([*pairs, *map(_assigned, read_in)])


def _lines(path):
    """The lines of such a file that are no remarks; none if it is not there."""
    try:
        lines = Path(path).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [line.strip() for line in lines if "=" in line and line.strip()[0] not in "#;"]


def _assigned(line):
    name, _, value = line.partition("=")
    return name.strip(), "".join(shlex.split(value)) if value.strip()[:1] in ("'", '"') else value.strip()
