"""Watching all transfers that run, side by side on one screen, without touching any."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import saltface
from transferplan import course, errors, inventory, records, settings
from transferplan.listing import Listing
from transferplan.options import COMMAND, Layer
from transferplan.request import DESTINATION, SOURCE, Member

from . import asking, joining, looking, noted
from .drive import Drive, steer

RUNNING = "running"
EVERY = 10.0
"""Seconds between two looks for what has begun since."""


def watch(opts: Mapping, minions: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Follow everything that runs, what begins meanwhile too, until all has ended or somebody wants us to end. What
    waits is looked at first: what begins meanwhile is on a minion's list then.
    """
    layers = [*saltface.master_layers(opts), (COMMAND, options)]
    own = settings.resolve(layers)
    board = Board(saltface.screen(opts, own.quiet))
    watched = Watched(opts, layers, board, minions)
    watched.look_at_the_queue()
    listing = looking.listed(opts, minions, (RUNNING,))
    for found in _ends_of(opts, listing["transfers"]):
        watched.follow(found)
    if not watched.over:
        with saltface.Signals() as signals, saltface.Fleet(opts) as fleet:
            watched.courses.append(Lookout(opts, asking.hosts(opts, minions), watched))
            steer(watched.courses, fleet, signals)
    board.clear()
    results = {drive.state.request.transfer: drive.result() for drive in watched.drives}
    told = {name: listing[name] for name in ("silent", "result", "reasons", "retcode")}
    return {"transfers": results, "waiting": watched.waiting, **told}


class Watched:
    """What is followed by now: `drives` of transfers, and `courses`, all that wants to be steered; and what was
    `waiting` when the queue was looked at.
    """

    def __init__(self, opts: Mapping, layers: Iterable[Layer], board: Board, minions: Any):
        self._opts = opts
        self._hosts = None if minions is None else {*asking.hosts(opts, minions)}
        self._layers = list(layers)
        self._board = board
        self.seen: set[str] = set()
        self.drives: list[Drive] = []
        self.courses: list[Any] = []
        self.waiting: list[dict[str, Any]] = []

    def look_at_the_queue(self) -> None:
        before = [each["transfer"] for each in self.waiting]
        self.waiting = [each for each in noted.entries(self._opts) if self._is_meant(each)]
        self._board.wait({each["transfer"]: each["waits"]["text"] for each in self.waiting}, before)

    def _is_meant(self, entry: Mapping[str, Any]) -> bool:
        return self._hosts is None or not self._hosts.isdisjoint(end["host"] for end in entry["ends"])

    def follow(self, found: records.Ends) -> None:
        request = records.present(found, self._layers, {})
        begun = course.attach(request, time.monotonic())
        drive = Drive(self._opts, begun, self._board.line(found.transfer), mute=True)
        self.seen.add(found.transfer)
        self.drives.append(drive)
        self.courses.append(drive)

    @property
    def over(self) -> bool:
        """Whether all has ended, and nothing waits whose runner would begin it."""
        waits = any(each["waits"]["followed"] for each in self.waiting)
        return not waits and all(each.over for each in self.drives)


class Inquiry:
    """Questions among the courses that are steered, put once; `heard` is called when all that came back is there."""

    def __init__(self, questions: Mapping[Any, saltface.Question], heard: Callable[[dict], None]):
        self._questions = questions
        self._waits_for = set(questions)
        self._payloads: dict[Any, Any] = {}
        self._heard = heard
        self.over = False

    due_at = saltface.NEVER

    def act(self, fleet: saltface.Fleet) -> None:
        questions, self._questions = self._questions, {}
        fleet.send({(self, member, question.function, 0): question for member, question in questions.items()})

    def hear(self, member: Any, _function: str, answer: saltface.Answer, _now: float) -> None:
        if answer.trouble is None and "error" not in answer.payload:
            self._payloads[member] = answer.payload
        self._waits_for.discard(member)
        if not self._waits_for and not self.over:
            self.over = True
            self._heard(self._payloads)

    def interrupt(self, *_: Any, **_how: Any) -> None:
        self.over = True


class Lookout:
    """Looks for what has begun since, now and then, and once more when all that is watched is over."""

    def __init__(self, opts: Mapping, hosts: Iterable[str], watched: Watched):
        self._opts = opts
        self._hosts = list(hosts)
        self._watched = watched
        self._looks = False
        self._again_at: float | None = None
        self.over = False

    @property
    def due_at(self) -> float:
        return saltface.NEVER if self._looks or self._again_at is None else self._again_at

    def act(self, fleet: saltface.Fleet) -> None:
        if self._again_at is None:
            self._again_at = fleet.now() + EVERY
        if not self._looks and not self.over and (self._watched.over or fleet.now() >= self._again_at):
            self._watched.look_at_the_queue()
            self._looks, last = True, self._watched.over
            self._ask(Listing(), dict.fromkeys(self._hosts, {}), last)

    def _ask(self, listing: Listing, arguments: Mapping[str, Mapping[str, Any]], last: bool) -> None:
        def told(payloads: Mapping[Member, Any]) -> None:
            self._told(listing.plus({member.host: page for member, page in payloads.items()}), last)

        questions = asking.of_each(self._opts, "list", arguments, asking.LOOK_TIMEOUT)
        self._watched.courses.append(Inquiry(questions, told))

    def _told(self, listing: Listing, last: bool) -> None:
        if listing.asks:
            self._ask(listing, listing.asks, last)
        else:
            self._listed(inventory.transfers(listing.known, (RUNNING,)), last)

    def _listed(self, running: Iterable[Mapping[str, Any]], last: bool) -> None:
        self._looks, self._again_at = False, None
        new = [each for each in running if each["transfer"] not in self._watched.seen]
        self.over = last and not new
        for each in new:
            transfer = each["transfer"]
            self._watched.seen.add(transfer)  # whatever comes of it, it is asked for once
            questions = _records_of(self._opts, transfer, _hosts(each["ends"]))
            self._watched.courses.append(Inquiry(questions, partial(self._recorded, transfer)))

    def _recorded(self, transfer: str, told: Mapping[Member, Any]) -> None:
        with contextlib.suppress(errors.PlanError):  # its other end is silent
            self._watched.follow(records.gather(transfer, joining.read(told)))

    def hear(self, *_: Any) -> None:
        """Nothing is asked in its own name."""

    def interrupt(self, *_: Any, **_how: Any) -> None:
        self.over = True


def _records_of(opts: Mapping, transfer: str, hosts: Iterable[str]) -> dict[Member, saltface.Question]:
    members = [Member(host, role) for host in sorted(hosts) for role in (SOURCE, DESTINATION)]
    return {member: asking.record_of(opts, member, transfer) for member in members}


def _ends_of(opts: Mapping, transfers: Iterable[Mapping[str, Any]]) -> list[records.Ends]:
    """The ends of each transfer, where they can be found."""
    wanted = {each["transfer"]: _hosts(each["ends"]) for each in transfers}
    questions = {
        (transfer, member): question
        for transfer, hosts in wanted.items()
        for member, question in _records_of(opts, transfer, hosts).items()
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
    """The lines on the screen for each transfer, below its id."""

    def __init__(self, screen: saltface.Screen | saltface.Silence):
        self._screen = screen
        self._lines: dict[str, list[str]] = {}

    def line(self, transfer: str) -> Line:
        return Line(self, transfer)

    def show(self, transfer: str, lines: Iterable[str]) -> None:
        self._lines[transfer] = [transfer, *(f"  {line}" for line in lines)]
        self._screen.show(*(line for shown in self._lines.values() for line in shown))

    def wait(self, texts: Mapping[str, str], before: Iterable[str]) -> None:
        """A line for each that waits, in place of those that waited before."""
        for transfer in before:
            self._lines.pop(transfer, None)
        for transfer, text in texts.items():
            self.show(transfer, [text])

    def clear(self) -> None:
        """The lines that change go; those of what waits on are told anew by who tells the result."""
        self._screen.say([])

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
