"""What this minion permits at all, from its own configuration. No option of a master can loosen it.

    transfer:
      policy:
        sources: {allow: [/srv], deny: [/srv/secret]}
        destinations: [/srv]                      # a list is short for allow
        peers: ['db*']
        special: [setuid, capabilities, fifos]    # devices only if they are named

What is left out is permitted, except devices, which must be named. `/proc`, `/sys`, `/dev` and the directory in which
a minion keeps its own books are never permitted.
"""

import fnmatch
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from datamover.disk import special
from datamover.errors import shown

NEVER = (b"/proc", b"/sys", b"/dev")
SPECIAL = ("setuid", "capabilities", "fifos")
KEYS = ("sources", "destinations", "peers", "special")


@dataclass(frozen=True)
class Places:
    """Prefixes of paths: below one that is allowed and below none that is denied."""

    allow: tuple = (b"/",)
    deny: tuple = ()

    @classmethod
    def read(cls, value):
        rules = value if isinstance(value, Mapping) else {"allow": value}
        if set(rules) - {"allow", "deny"}:
            raise ValueError("only allow and deny are known")
        return cls(_paths(rules.get("allow", ["/"])), _paths(rules.get("deny", [])))

    def permit(self, path):
        return any(_below(path, each) for each in self.allow) and not any(
            _below(path, each) or _below(each, path) for each in self.deny
        )


@dataclass(frozen=True)
class Policy:
    sources: Places = field(default_factory=Places)
    destinations: Places = field(default_factory=Places)
    peers: tuple = ("*",)
    special: tuple = SPECIAL
    never: tuple = NEVER
    troubles: tuple = ()

    @classmethod
    def read(cls, config, state_dir=None):
        """The policy in a minion's `transfer:policy`. What cannot be understood forbids everything, in words."""
        if not isinstance(config or {}, Mapping):
            return cls(troubles=("transfer:policy in the minion's configuration is no mapping",))
        values = {"never": (*NEVER, os.fsencode(state_dir))} if state_dir else {}
        troubles = []
        for key, value in (config or {}).items():
            try:
                values[key] = READERS[key](value)
            except (KeyError, ValueError, TypeError) as error:
                troubles.append(f"transfer:policy:{key} in the minion's configuration cannot be read: {error}")
        return cls(**values, troubles=tuple(troubles))

    def reasons(self, role, paths, peers, wanted_special):
        """Sentences for all that this policy forbids; `paths` are the path as named and as it really is."""
        return [*self.troubles, *self._places(role, paths), *self._peers(peers), *self._special(wanted_special)]

    def _places(self, role, paths):
        places = self.sources if role == "source" else self.destinations
        verb = "read" if role == "source" else "written"
        for path in dict.fromkeys(paths):
            if not places.permit(path) or any(_below(path, each) for each in self.never):
                yield f"{shown(path)} may not be {verb} (transfer:policy:{role}s)"

    def _peers(self, peers):
        for peer in peers:
            if not any(fnmatch.fnmatchcase(peer, pattern) for pattern in self.peers):
                yield f"{peer} may not take part (transfer:policy:peers)"

    def _special(self, wanted):
        for name in wanted:
            if name not in self.special:
                yield f"{name} may not travel (transfer:policy:special)"


def _names(value):
    if isinstance(value, str) or not all(isinstance(each, str) for each in value):
        raise ValueError("a list of names is expected")
    return tuple(value)


def _paths(value):
    paths = tuple(name.encode("utf-8", "surrogateescape") for name in _names(value))
    if not all(path.startswith(b"/") for path in paths):
        raise ValueError("paths are absolute")
    return paths


def _special_names(value):
    unknown = sorted(set(_names(value)) - set(special.NAMES))
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is none of {', '.join(special.NAMES)}")
    return tuple(value)


READERS = dict(zip(KEYS, (Places.read, Places.read, _names, _special_names), strict=True))


def _below(path, prefix):
    prefix = prefix.rstrip(b"/")
    return path == prefix or path.startswith(prefix + b"/") or not prefix
