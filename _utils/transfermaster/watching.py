"""Watching all transfers that run, side by side on one screen, without touching any."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import saltface
from transferplan import course, errors, records, settings
from transferplan.request import DESTINATION, SOURCE, Member

from . import asking, joining, looking
from .drive import Drive, steer

SHOWN_DIGITS = 8


def watch(opts: Mapping, minions: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Follow everything that runs until it has ended or somebody wants us to end."""
    layers = [*saltface.master_layers(opts), (settings.COMMAND, options)]
    own = settings.resolve(layers)
    listing = looking.listed(opts, minions, ("running",))
    board = Board(saltface.screen(opts, own.quiet))
    drives = [_drive(opts, found, layers, board) for found in _ends_of(opts, listing["transfers"])]
    with saltface.Signals() as signals, saltface.Fleet(opts) as fleet:
        steer(drives, fleet, signals)
    results = {drive.state.request.transfer: drive.result() for drive in drives}
    told = {name: listing[name] for name in ("silent", "result", "reasons", "retcode")}
    return {"transfers": results, **told}


def _drive(opts: Mapping, found: records.Ends, layers: Iterable[settings.Layer], board: Board) -> Drive:
    request = records.present(found, layers, {})
    return Drive(opts, course.attach(request, time.monotonic()), board.line(found.transfer), mute=True)


def _ends_of(opts: Mapping, transfers: Iterable[Mapping[str, Any]]) -> list[records.Ends]:
    """The ends of each transfer, where they can be found."""
    wanted = {each["transfer"]: _hosts(each["ends"]) for each in transfers}
    questions = {
        (transfer, Member(host, role)): asking.record_of(opts, Member(host, role), transfer)
        for transfer, hosts in wanted.items()
        for host in sorted(hosts)
        for role in (SOURCE, DESTINATION)
    }
    told = asking.ask(opts, questions, everyone=True) if questions else asking.Told()
    found = []
    for transfer in wanted:
        mine = {member: told.payloads[key] for key in told.payloads for named, member in [key] if named == transfer}
        try:
            found.append(records.gather(transfer, joining.read(mine)))
        except errors.PlanError:  # another end is silent; the list has told so
            continue
    return found


def _hosts(ends: Iterable[Mapping[str, Any]]) -> set[str]:
    return {name for end in ends for name in (end["host"], *(peer["host"] for peer in end.get("peers", ())))}


class Board:
    """The lines on the screen for each transfer."""

    def __init__(self, screen: saltface.Screen | saltface.Silence):
        self._screen = screen
        self._lines: dict[str, list[str]] = {}

    def line(self, transfer: str) -> Line:
        return Line(self, transfer)

    def show(self, transfer: str, lines: Iterable[str]) -> None:
        self._lines[transfer] = [f"{transfer[:SHOWN_DIGITS]}  {line}" for line in lines]
        self._screen.show(*(line for shown in self._lines.values() for line in shown))

    def say(self, transfer: str, lines: Iterable[str]) -> None:
        """What stays; the line of that transfer is done with."""
        self._lines.pop(transfer, None)
        self._screen.say(lines)


class Line:
    """The part of a board that one transfer writes on, in place of a screen."""

    def __init__(self, board: Board, transfer: str):
        self._board = board
        self._transfer = transfer

    def say(self, lines: Iterable[str]) -> None:
        self._board.say(self._transfer, lines)

    def show(self, *lines: str) -> None:
        self._board.show(self._transfer, lines)
