"""Profiles: options under a name, defined in the master's configuration and asked for by `profile=NAME`.

A profile counts where it is named, just below what else is said there: `profile=wan limit=1MB/s` has the limit of the
command line, and everything else of wan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from . import nearest

PROFILE, PROFILES = "profile", "profiles"


class Said(NamedTuple):
    """Options as they were said: in which layer they count, and what to call their place."""

    layer: str
    place: str
    options: Any

    @property
    def is_profile(self) -> bool:
        return self.place != self.layer


def spread(layers: Iterable[tuple[str, Any]], home: str) -> tuple[list[Said], list[str]]:
    """The layers, below each the profile that it names; and what is wrong. Profiles are defined in layer `home`."""
    layers = list(layers)
    defined = _defined([options for layer, options in layers if layer == home])
    said, troubles = [], []
    for layer, options in layers:
        if name := _named(options):
            found, trouble = _found(name, defined, layer)
            said += [Said(layer, f"the profile {name}", found)]
            troubles += trouble
        said.append(Said(layer, layer, options))
    return said, troubles


def names(layers: Iterable[tuple[str, Any]], home: str) -> list[str]:
    """The profiles that are defined."""
    return [str(name) for name in _defined([options for layer, options in layers if layer == home])]


def _named(options: Any) -> str:
    return str(options.get(PROFILE) or "") if isinstance(options, Mapping) else ""


def _defined(homes: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for options in homes:
        profiles = options.get(PROFILES) if isinstance(options, Mapping) else None
        found.update(profiles if isinstance(profiles, Mapping) else {})
    return found


def _found(name: str, defined: Mapping[str, Any], layer: str) -> tuple[Any, list[str]]:
    if name in defined:
        options = defined[name]
        nested = isinstance(options, Mapping) and (PROFILE in options or PROFILES in options)
        return ({}, [f"the profile {name} names other profiles, which it cannot"]) if nested else (options, [])
    return {}, [f"profile {name!a:.80} (from {layer}) is not defined{_advice(name, defined)}"]


def _advice(name: str, defined: Mapping[str, Any]) -> str:
    names = sorted(map(str, defined))
    if not names:
        return ": no profiles stand in the master's configuration"
    there_are = f"there are: {', '.join(names)}"
    return f"; {nearest.advice(name, names, there_are)}"


def troubles(profiles: Any) -> list[str]:
    """What is wrong with the form of the definitions."""
    sound = isinstance(profiles, Mapping) and all(isinstance(each, Mapping) for each in profiles.values())
    if profiles is None or sound:
        return []
    return ["profiles (in the master's configuration) must be names with options below each"]
