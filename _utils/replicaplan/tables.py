"""Tables of settings: what a section of a configuration may hold, and everything that speaks against what it holds.

From the tables of `settings` come the checks, the page `docs/options.md` and the examples in `pillar.example/`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .kinds import Kind, Place, no_names, unless

Together = Callable[[Place, Mapping[str, Any]], list[str]]


@dataclass(frozen=True)
class Setting:
    """One setting; `needed` ones have no default. The example is what YAML would make of it."""

    name: str
    kind: Kind
    default: Any
    example: Any
    meaning: str
    needed: bool = False

    @property
    def parts(self) -> tuple[Setting, ...]:
        """The settings in it, if it is a mapping."""
        return self.kind.table.settings if isinstance(self.kind, (Part, Named)) else ()


def nothing_together(_place: Place, _sound: Mapping[str, Any]) -> list[str]:
    return []


@dataclass(frozen=True)
class Table:
    """The settings of one section, and what cannot be meant by several of them `together`."""

    settings: tuple[Setting, ...]
    together: Together = nothing_together

    @property
    def defaults(self) -> dict[str, Any]:
        return {each.name: each.default for each in self.settings if not each.needed}

    def against(self, place: Place, found: Any) -> list[str]:
        """Every reason at once; what speaks against several settings is looked for among those that are sound."""
        if not isinstance(found, Mapping):
            return [f"{place} is no mapping."]
        wrong = {each.name: self._against_one(each, place, found) for each in self.settings}
        sound = {name: value for name, value in found.items() if wrong.get(name) == []}
        reasons = [reason for reasons in wrong.values() for reason in reasons]
        return [*self._unknown(place, found), *self._missing(place, found), *reasons, *self.together(place, sound)]

    def _against_one(self, setting: Setting, place: Place, found: Mapping[Any, Any]) -> list[str]:
        there = setting.name in found
        return setting.kind.against(place.below(setting.name), found[setting.name]) if there else []

    def _unknown(self, place: Place, found: Iterable[Any]) -> list[str]:
        names = [each.name for each in self.settings]
        return [
            f"{place.below(name).path} is no setting; {_advice(name, names)}" for name in found if name not in names
        ]

    def _missing(self, place: Place, found: Mapping[Any, Any]) -> list[str]:
        missing = [each.name for each in self.settings if each.needed and each.name not in found]
        needed = " and ".join(each.name for each in self.settings if each.needed)
        return [f"{place.path} needs {needed}."] if missing else []

    def spread(self, path: str = "") -> Iterator[tuple[str, Setting]]:
        """Every setting under its full name, a mapping before what stands in it."""
        for each in self.settings:
            yield path + each.name, each
            if isinstance(each.kind, (Part, Named)):
                yield from each.kind.table.spread(f"{path}{each.name}:{each.kind.between}")


@dataclass(frozen=True)
class Section:
    """A table at the top of a configuration: where it stands, and what the pages say `about` it and its `origin`."""

    place: Place
    table: Table
    title: str
    about: str
    origin: str

    @property
    def name(self) -> str:
        return self.place.path

    @property
    def settings(self) -> tuple[Setting, ...]:
        return self.table.settings

    def spread(self) -> Iterator[tuple[str, Setting]]:
        return self.table.spread()

    def against(self, found: Any) -> list[str]:
        return self.table.against(self.place, found)


def _advice(name: Any, known: list[str]) -> str:
    near = difflib.get_close_matches(str(name).casefold(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."


@dataclass(frozen=True)
class Part:
    """A mapping of settings with a table of their own."""

    table: Table
    takes = "a mapping"
    between = ""

    def against(self, place: Place, value: Any) -> list[str]:
        return self.table.against(place, value)


@dataclass(frozen=True)
class Named:
    """Any number of such mappings, each under a name that somebody chose."""

    table: Table
    takes = "a mapping of names to mappings"
    between = "NAME:"

    def against(self, place: Place, value: Any) -> list[str]:
        if not isinstance(value, Mapping):
            return unless(False, self, place, value)
        return [reason for name, parts in value.items() for reason in self.against_one(place, name, parts)]

    def against_one(self, place: Place, name: Any, parts: Any) -> list[str]:
        return no_names(place, [name]) or self.table.against(place.below(name), parts)

