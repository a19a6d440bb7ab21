"""The kinds of values that settings of databases take: in which words, and what speaks against a value.

YAML has given a value its type already, so none is converted. `takes` completes the sentence "this setting has to be
...". True and False are numbers to Python alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

LONGEST_NAME = 120
"""Bytes of the name of a cluster or a host; files on the master are called after both."""


@dataclass(frozen=True)
class Place:
    """Where a value stands: its names from the section on, and whose section that is."""

    path: str
    home: str

    def below(self, name: Any) -> Place:
        return Place(f"{self.path}:{printable(name)}", self.home)

    def __str__(self) -> str:
        return f"{self.path} in {self.home}"


class Kind(Protocol):
    @property
    def takes(self) -> str: ...

    def against(self, place: Place, value: Any) -> list[str]: ...


@dataclass(frozen=True)
class Line:
    """What it is instead is not shown: it may be a password. YAML takes what looks like a number for one."""

    takes = "text of one line"

    def against(self, place: Place, value: Any) -> list[str]:
        fits = isinstance(value, str) and "\n" not in value
        return [] if fits else [f"{place} has to be {self.takes}, in quotes."]


@dataclass(frozen=True)
class Truth:
    """Words such as "no" are not taken for one."""

    takes = "true or false"

    def against(self, place: Place, value: Any) -> list[str]:
        return unless(isinstance(value, bool), self, place, value)


@dataclass(frozen=True)
class Whole:
    low: int
    of: str = ""

    @property
    def takes(self) -> str:
        return f"a whole number{self.of and f' of {self.of}'}, {self.low} or more"

    def against(self, place: Place, value: Any) -> list[str]:
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= self.low
        return unless(fits, self, place, value)


@dataclass(frozen=True)
class Path:
    """An absolute path, or none of any if that may be left open."""

    takes: str = "an absolute path"
    empty: bool = False

    def against(self, place: Place, value: Any) -> list[str]:
        fits = isinstance(value, str) and value.startswith("/") and value.isprintable()
        return unless(fits or (self.empty and value == ""), self, place, value)


@dataclass(frozen=True)
class HostName:
    """The name of a host, or none of any if that may be left open."""

    empty: bool = False
    takes = f"a name of at most {LONGEST_NAME} bytes"

    def against(self, place: Place, value: Any) -> list[str]:
        return [] if self.empty and value == "" else no_names(place, [value])


@dataclass(frozen=True)
class HostNames:
    takes = "a list of names"

    def against(self, place: Place, value: Any) -> list[str]:
        return no_names(place, value) if isinstance(value, list) else unless(False, self, place, value)


def no_names(place: Place, names: Sequence[Any]) -> list[str]:
    """YAML reads what looks like a number or a truth as one: such a name needs quotes."""
    return [
        f"{place.path}: {shown(name)} is no name, which is a text in quotes of at most {LONGEST_NAME} bytes."
        for name in names
        if not _is_name(name)
    ]


def _is_name(name: Any) -> bool:
    return (
        isinstance(name, str) and name == name.strip() and name.isprintable() and 0 < len(name.encode()) <= LONGEST_NAME
    )


def unless(fits: bool, kind: Kind, place: Place, value: Any) -> list[str]:
    return [] if fits else [f"{place} has to be {kind.takes}, not {shown(value)}."]


def shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3] + "..."


def printable(name: Any) -> str:
    """A name as a word of a sentence, whatever YAML made of it."""
    whole = isinstance(name, str) and name.isprintable() and 0 < len(name) <= LONGEST_NAME
    return name if whole else shown(name)
