"""What travels only when the request names it: setuid files, files with capabilities, FIFOs, devices."""

import stat

from ..errors import SpecialRefused, shown
from ..manifest import Kind
from .metadata import CAPABILITY

NAMES = ("setuid", "capabilities", "fifos", "devices")
SHOWN = 20


def names_of(kind, mode, attributes):
    """Which of NAMES an entry is; setuid stands for setgid files too. Attributes are their names."""
    if kind == Kind.FILE and mode & (stat.S_ISUID | stat.S_ISGID):
        yield "setuid"
    if CAPABILITY in attributes:
        yield "capabilities"
    if kind == Kind.FIFO:
        yield "fifos"
    if kind in (Kind.CHARDEV, Kind.BLOCKDEV):
        yield "devices"


def names_in(entry):
    """The same of an entry; nearly all are ordinary files."""
    if entry.kind == Kind.FILE and not (entry.mode & (stat.S_ISUID | stat.S_ISGID) or entry.xattrs):
        return ()
    return tuple(names_of(entry.kind, entry.mode, {name for name, _ in entry.xattrs}))


class Found:
    """Paths by name, of each the first few and the number of all."""

    def __init__(self):
        self.paths = {}
        self.counts = {}

    def __bool__(self):
        return bool(self.counts)

    def add(self, name, path):
        self.counts[name] = self.counts.get(name, 0) + 1
        paths = self.paths.setdefault(name, [])
        if len(paths) < SHOWN:
            paths.append(path)

    def refusal(self):
        """The error that names them all."""
        parts = [
            f"{name}: {self.counts[name]} ({', '.join(map(shown, self.paths[name]))})" for name in sorted(self.counts)
        ]
        text = (
            f"the source holds what the request does not allow to travel: {'; '.join(parts)}; "
            f"ask for special={','.join(sorted(self.counts))} or leave them out"
        )
        return SpecialRefused(text, counts=dict(self.counts))
