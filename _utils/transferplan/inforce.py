"""What is in force, and which layer says so: for `transfer.settings`, as data and as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import profiles, settings
from .errors import BadOption, Reason
from .options import COMMAND, MASTER, OPTIONS, TABLE, Layer, Settings
from .paths import printable

DEFAULT = "the default"

Row = Mapping[str, str]


def rows(found: Settings, *scopes: str) -> dict[str, Row]:
    """For each option of these scopes: `value` as one would write it, and `from` which layer it comes."""
    return {
        option.name: {
            "value": option.kind.show(getattr(found, option.name)),
            "from": found.origins.get(option.name, DEFAULT),
        }
        for option in OPTIONS
        if option.scope in scopes
    }


def of_master(layers: Iterable[Layer], options: Mapping[str, Any]) -> dict[str, Row]:
    """The options of transfers and hosts as a copy with these options would begin with them."""
    said = [*layers, (COMMAND, options)]
    found, _ = settings.sound(said)
    told = rows(found, "transfer", "host")
    for each in profiles.spread(said, MASTER)[0]:
        if each.is_profile and isinstance(each.options, Mapping):
            own = {name for layer, options in said if layer == each.layer for name in options or ()}
            mine = [name for name in each.options if name in told and name not in own]
            told |= {name: {**told[name], "from": each.place} for name in mine if told[name]["from"] == each.layer}
    return told


def of_host(told: Mapping[str, Any], general: Mapping[str, Row]) -> dict[str, Any]:
    """What a minion told of itself; an option that it only took over is from where the master has it."""
    known = {name: row for name, row in told["settings"].items() if name in TABLE and isinstance(row, Mapping)}
    return {**told, "settings": {name: _taken_over(name, row, general) for name, row in known.items()}}


def _taken_over(name: str, row: Row, general: Mapping[str, Row]) -> Row:
    origin = str(row.get("from"))
    if origin in (MASTER, COMMAND) and name in general:
        origin = general[name]["from"]
    return {"value": printable(str(row.get("value"))), "from": printable(origin)}


def troubles(layers: Iterable[Layer], options: Mapping[str, Any]) -> list[Reason]:
    """All that is wrong with the master's layers, with each of its profiles, and with these options."""
    layers = list(layers)
    found, wrong = settings.sound([*layers, (COMMAND, options)])
    wrong += settings.contradictions(found)
    for name in profiles.names(layers, MASTER):
        wrong += settings.sound([*layers, (COMMAND, {profiles.PROFILE: name})])[1]
    return [BadOption.reason(each) for each in dict.fromkeys(wrong)]


def lines(title: str, told: Mapping[str, Row]) -> Iterator[str]:
    """A table for people: what is not the default first."""
    yield title
    for name, row in sorted(told.items(), key=lambda item: (item[1]["from"] == DEFAULT, item[0])):
        yield printable(f"  {name:<20} {row['value']:<24} {row['from']}")
