"""The values in force for one transfer: layers of configuration over the defaults of the table of options.

The later layer wins: the master's config (`transfer:`); for options of scope `host` the host's own pillar and then its
own minion config; last the command line. A profile counts in the layer that names it. What a minion permits at all
(its policy) is no option: no layer can loosen it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import habits, kinds, nearest, profiles, streamed
from .errors import BadOption, Refused
from .options import COMMAND, HOMES, MASTER, MINION, OPTIONS, PILLAR, PROFILES, SCOPES, TABLE, Layer, Settings


def resolve(layers: Iterable[Layer]) -> Settings:
    """The settings that result from (layer name, options) pairs, the last wins; Refused with every trouble at once."""
    found, troubles = sound(layers)
    _refuse(troubles)
    return found


def sound(layers: Iterable[Layer]) -> tuple[Settings, list[str]]:
    """The settings that result from all that can be taken, each option by itself, and what is wrong with the rest."""
    values: dict[str, Any] = {option.name: option.default for option in OPTIONS}
    origins: dict[str, str] = {}
    spread, troubles = profiles.spread(layers, MASTER)
    for layer, place, options in spread:
        read, bad = _read_layer(layer, options, place)
        values.update(read)
        origins.update(dict.fromkeys(read, layer))
        troubles += bad
    if values["quiet"] and values["verbose"]:
        troubles.append("quiet and verbose exclude each other: give one of them")
    return streamed.fitted(Settings(**values, origins=origins)), troubles


def contradictions(asked: Settings) -> list[str]:
    """What is wrong with a request's options together; for who asks to hear once, not from every host."""
    wrong = list(streamed.contradictions(asked))
    if asked.delete and not asked.update:
        wrong.append("delete=True is only for update=True: a copy to a new place has nothing to delete")
    return wrong


def _refuse(troubles: Sequence[str]) -> None:
    if troubles:
        raise Refused(map(BadOption.reason, troubles))


def sound_on_host(
    asked: Mapping[str, Any], given: Sequence[str], pillar: Any, config: Any
) -> tuple[Settings, list[str]]:
    """The settings as one minion must take them, with its own pillar and config where they count; and what is wrong.

    `asked` and `given` come from the question for facts; `pillar` and `config` are the minion's `transfer:` sections.
    """
    known = {name: value for name, value in asked.items() if name in TABLE and name != profiles.PROFILE}
    fixed = {name: value for name, value in known.items() if name in given or not _is_local(name)}
    general = {name: value for name, value in known.items() if name not in fixed}
    return sound([(MASTER, general), (PILLAR, pillar), (MINION, config), (COMMAND, fixed)])


def on_host(asked: Mapping[str, Any], given: Sequence[str], pillar: Any, config: Any) -> Settings:
    """The same, or Refused with all that is wrong."""
    found, troubles = sound_on_host(asked, given, pillar, config)
    _refuse(troubles)
    return found


def as_told(asked: Settings, told: Mapping[str, Any]) -> Settings:
    """The settings for one host: what was asked, and of scope `host` what that host says is in force there."""
    own = {name: value for name, value in told.items() if name in TABLE and TABLE[name].scope == "host"}
    own = {name: value for name, value in own.items() if name not in asked.given()}
    read, troubles = _read_layer(MINION, own)
    _refuse(troubles)
    return replace(asked, **read)


def read(name: str, value: Any) -> Any:
    """The value of one option in its one form; Refused in words if it is none."""
    try:
        return TABLE[name].kind.read(value)
    except ValueError as error:
        text = f"{name} must be {TABLE[name].kind.takes}, not {kinds.wrong(error, value)}"
        raise Refused([BadOption.reason(text)]) from None


def _is_local(name: str) -> bool:
    return TABLE[name].scope == "host"


def _read_layer(layer: str, options: Any, place: str = "") -> tuple[dict[str, Any], list[str]]:
    """What can be taken of a layer and what is wrong with the rest; `place` is what to call it."""
    place = place or layer
    if options is None:
        return {}, []
    if not isinstance(options, Mapping):
        return {}, [f"transfer (in {place}) must hold options with their values, not {_shown(options)}"]
    read: dict[str, Any] = {}
    troubles = profiles.troubles(options.get(PROFILES))
    for name, value in options.items():
        if trouble := _misplaced(layer, name, place):
            troubles.append(trouble)
        elif value is not None and name in TABLE:
            try:
                read[name] = TABLE[name].kind.read(value)
            except ValueError as error:
                takes = TABLE[name].kind.takes
                troubles.append(f"{name} (from {place}) must be {takes}, not {kinds.wrong(error, value)}")
    return read, troubles


def _misplaced(layer: str, name: Any, place: str) -> str:
    """Why this name cannot stand in this layer; empty if it can."""
    if name not in TABLE and name not in HOMES:
        return f"{_shown(name)} (from {place}) is no option; {_advice(name)}"
    places = (HOMES[name],) if name in HOMES else SCOPES[TABLE[name].scope]
    return "" if layer in places else f"{name} cannot be set from {place}, only from {' or '.join(places)}"


def _advice(name: Any) -> str:
    listed = "salt-run -d transfer.copy lists all of them"
    return habits.of_option(name) or nearest.advice(str(name), TABLE, listed)


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
