"""Copies that are begun once, whoever follows them: those that were asked for by a key, and those that may wait.

A master keeps of each a small record in its cache directory: what was asked, who follows, whether it waits for busy
hosts, how it ended. Losing them loses nothing of what has begun: the transfer itself is recorded on its hosts, and any
process can attach to it there.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import saltface
from datamover.errors import OutOfTurn, UnknownTransfer
from datamover.host import documents, flock
from transferplan import errors, naming, report, waits
from transferplan.paths import printable

from .asking import concluded, ending
from .waiting import Place

KEPT = 7 * 86400
MOST_OF_A_MINION = 8
MOST_FOLLOWERS = 3
MOMENT = 1.0
LONGEST_PAUSE = 15.0
CALL = 10.0
CANCEL_PATIENCE = 30.0
CANCELLED = "cancelled"

Result = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What was asked for: everything in it is plain data."""

    transfer: str
    src: Any
    dst: Any
    options: Mapping[str, Any]
    asked_by: Mapping[str, str]
    dry: bool = False

    @classmethod
    def noted(cls, document: Mapping[str, Any] | None) -> Asked | None:
        """What was noted; None if nothing was, or by a version that asks otherwise."""
        return cls(**document) if document and document.keys() == cls.__dataclass_fields__.keys() else None

    def same(self, other: Asked) -> bool:
        return _plain(asdict(self)) == _plain({**asdict(other), "asked_by": self.asked_by})

    def alike(self, other: Asked) -> bool:
        """The same, though each by itself."""
        return self.same(replace(other, transfer=self.transfer))

    def __str__(self) -> str:
        return printable(f"{self.src} to {self.dst}")


def _plain(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, default=str)


class Book:
    """The records of a master, one directory for each transfer."""

    def __init__(self, opts: Mapping):
        self._root = Path(opts["cachedir"], "salt-transfer", "asked")

    def note(self, asked: Asked) -> Asked:
        """What is noted for this transfer: this, if nothing was."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._root / f".{asked.transfer}.{os.getpid()}"
        new.mkdir(mode=0o700, exist_ok=True)
        documents.save(new / "asked.json", asdict(asked))
        try:
            new.rename(self._place(asked.transfer))
        except OSError:
            _remove(new)
        return self.asked(asked.transfer) or asked

    def asked(self, transfer: str) -> Asked | None:
        """What was asked for under this id, if it is one and anything was."""
        return Asked.noted(documents.load(self._place(transfer) / "asked.json")) if naming.is_id(transfer) else None

    def result(self, transfer: str) -> Result | None:
        return documents.load(self._place(transfer) / "result.json")

    def conclude(self, transfer: str, result: Result) -> None:
        """Write down how it ended. What was only lost out of sight is left for the next who follows, a few times; what
        waits, until its time is over.
        """
        patient = self.place(transfer).wait is not None or self.followers(transfer) < MOST_FOLLOWERS
        if result["result"] != "unknown" or not patient:
            documents.save(self._place(transfer) / "result.json", result)

    def place(self, transfer: str, ours: bool = False) -> Place:
        """Where it waits, if it does."""
        return Place(self._place(transfer), ours)

    def waiting(self) -> list[Asked]:
        """What waits for busy hosts, the first that was asked for first."""
        found = [(wait.asked_at, each) for each in self._open() if (wait := self.place(each.transfer).wait)]
        return [asked for _, asked in sorted(found, key=lambda each: (each[0], each[1].transfer))]

    def waits(self, transfer: str) -> bool:
        return any(each.transfer == transfer for each in self.waiting())

    def abandoned(self, asked: Asked, now: float) -> Asked | None:
        """What is alike and waits without anybody who follows it, and may still be begun."""
        alike = (each for each in self.waiting() if each.alike(asked) and not self.is_followed(each.transfer))
        return next((each for each in alike if not self.place(each.transfer).is_over(now)), None)

    def tending(self) -> flock.Held | None:
        """The right to look after all of them; None if somebody does so now."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return flock.hold(self._root / "tended", 0)

    def followers(self, transfer: str) -> int:
        """How many have begun to follow it so far."""
        with contextlib.suppress(FileNotFoundError):
            return (self._place(transfer) / "followers").stat().st_size
        return 0

    def follow(self, transfer: str, patience: float = MOMENT) -> flock.Held | None:
        """The place of the one who follows; None if somebody has it all the time that this one is patient. How many
        came before is counted by `followers`.
        """
        return flock.hold(self._place(transfer) / "lock", patience)

    def count_follower(self, transfer: str) -> None:
        with open(self._place(transfer) / "followers", "ab") as file:
            file.write(b".")

    def is_followed(self, transfer: str) -> bool:
        return flock.is_held(self._place(transfer) / "lock")

    def calls(self, transfer: str, now: float) -> bool:
        """Whether a follower is to be called now."""
        if self.is_cared_for(transfer, now):
            return False
        (self._place(transfer) / "called").touch(mode=0o600)
        return True

    def is_cared_for(self, transfer: str, now: float) -> bool:
        """Whether somebody follows it, or was called a moment ago and may still be on the way."""
        called = self._place(transfer) / "called"
        return self.is_followed(transfer) or (called.exists() and now - called.stat().st_mtime < CALL)

    def open_of(self, minion: str) -> list[str]:
        """The transfers that a minion asked for and that have not ended."""
        return [each.transfer for each in self._open() if each.asked_by.get("user") == minion]

    def _open(self) -> list[Asked]:
        """What has not ended, as far as is known here."""
        noted = [Asked.noted(documents.load(place / "asked.json")) for place in self._places()]
        return [each for each in noted if each and self.result(each.transfer) is None]

    def forget_old(self, now: float) -> None:
        """Records past their time, and what a process that died at once left half made."""
        for place in (*self._places(), *self._root.glob(".*")):
            with contextlib.suppress(OSError):
                if place.stat().st_mtime < now - KEPT and not self.is_followed(place.name):
                    _remove(place)

    def _places(self) -> Iterator[Path]:
        return (place for place in self._root.glob("[0-9a-f]*") if len(place.name) == 32)

    def _place(self, transfer: str) -> Path:
        return self._root / transfer


def _remove(place: Path) -> None:
    for path in place.iterdir():
        path.unlink()
    place.rmdir()


def start(opts: Mapping, asked: Asked) -> Result:
    """Have it followed in the background if nobody does, and tell how it stands."""
    book = Book(opts)
    book.forget_old(time.time())
    noted = _noted(book, asked)
    result = book.result(asked.transfer)
    if result is None:
        _call(opts, book, noted)
    return result or {"transfer": asked.transfer, "result": "running", "reasons": [], "retcode": 0}


def _call(opts: Mapping, book: Book, asked: Asked) -> bool:
    """Have it followed in the background, unless somebody does or is about to; whether somebody was called."""
    called = book.calls(asked.transfer, time.time())
    if called:
        arguments = {"src": asked.src, "dst": asked.dst, **asked.options, "key": asked.transfer, "test": asked.dry}
        saltface.in_background(opts, "transfer.copy", arguments, asked.asked_by.get("user", ""))
    return called


def tended(opts: Mapping) -> dict[str, list[str]]:
    """Have what waits followed in the background, where its runner has died and it is in line. Who comes while another
    does this has nothing to do.
    """
    book = Book(opts)
    waiting, called = {each.transfer: each for each in book.waiting()}, []
    if own := book.tending():
        with own:
            called = [each for each in _in_line(book, waiting) if _call(opts, book, waiting[each])]
    return {"waiting": list(waiting), "taken_up": called}


def _in_line(book: Book, transfers: Iterable[str]) -> list[str]:
    noted = {transfer: wait for transfer in transfers if (wait := book.place(transfer).wait)}
    return waits.in_line(noted, time.time())


def patiently(opts: Mapping, asked: Asked) -> Asked:
    """A copy that may wait, as it is noted: one that is alike and whose runner has died gives it its place."""
    book = Book(opts)
    book.forget_old(time.time())
    return book.abandoned(asked, time.time()) or asked


def cancelled(opts: Mapping, transfer: str, ask: Callable[[], Result]) -> Result:
    """Let a copy wait no longer, and `ask` its hosts to cancel what they know of it: a runner that died in the last
    moments may have begun it. Can be repeated.
    """
    book = Book(opts)
    told = _given_up(book, transfer, ask) if book.waits(transfer) else ask()
    if nobody_knows(told) and (book.result(transfer) or {}).get("result") == CANCELLED:
        return concluded({"transfer": transfer, "ends": [], "silent": []}, ())
    return told


def _given_up(book: Book, transfer: str, ask: Callable[[], Result]) -> Result:
    book.place(transfer).give_up()
    with book.follow(transfer, CANCEL_PATIENCE) or contextlib.nullcontext() as own:
        told = ask()
        if own and not nobody_knows(told):
            book.place(transfer).leave()  # it has begun: how it ends is for its hosts to tell
        elif own and book.result(transfer) is None:
            book.conclude(transfer, {"transfer": transfer, **ending(CANCELLED, [])})
    return told


def _noted(book: Book, asked: Asked) -> Asked:
    noted = book.note(asked)
    if not noted.same(asked):
        raise errors.Refused(
            [errors.BadOption.reason(f"this key began another copy before: give {asked} a key of its own")]
        )
    return noted


def refuse_crowd(opts: Mapping, minion: str, transfer: str) -> None:
    """A minion that asks for more and more is stopped at some number."""
    others = [each for each in Book(opts).open_of(minion) if each != transfer]
    if len(others) >= MOST_OF_A_MINION:
        raise errors.Refused(
            [
                errors.TooManyTransfers.reason(
                    f"{minion} has asked for {len(others)} copies that have not ended: {', '.join(sorted(others)[:3])} "
                    "and others; wait for them"
                )
            ]
        )


@dataclass(frozen=True)
class Ways:
    """How a copy is begun at an attempt; how one is attached to that was begun; and how one that was prepared and never
    begun is taken back (the number of that attempt, or 0).
    """

    begin: Callable[[Asked, Place, int], Result]
    attach: Callable[[str], Result]
    take_back: Callable[[str], int]


def once(opts: Mapping, asked: Asked, ways: Ways, ours: bool = False) -> Result:
    """Begin this copy unless it was begun before: then attach to it, or tell how it ended. Where it is `ours`, a hand
    on our terminal may end it as long as it waits.
    """
    book = Book(opts)
    noted = _noted(book, asked)
    pause = MOMENT
    while (own := book.follow(asked.transfer, pause)) is None:
        told = ways.attach(asked.transfer)
        if not _is_replaced(told, book.place(asked.transfer)):
            return told
        pause = min(2 * pause, LONGEST_PAUSE)
    with own:
        return book.result(asked.transfer) or _followed(book, noted, ways, ours)


def _followed(book: Book, asked: Asked, ways: Ways, ours: bool) -> Result:
    came_before = book.followers(asked.transfer)
    book.count_follower(asked.transfer)
    result = ways.attach(asked.transfer) if came_before and not asked.dry else None
    place = book.place(asked.transfer, ours)
    if result is None or nobody_knows(result):
        result = _begun(asked, place, ways, attempt=1)
    elif _may_be_unbegun(result, place) and (earlier := ways.take_back(asked.transfer)):
        result = _begun(asked, place, ways, earlier + 1)
    book.conclude(asked.transfer, result)
    return result


def _is_replaced(result: Result, place: Place) -> bool:
    """Whether this is no end of a copy that somebody else follows, who begins it, or another attempt of it."""
    return nobody_knows(result) or _is_outdated(result) or _may_be_unbegun(result, place)


def _is_outdated(result: Result) -> bool:
    """Whether another attempt was begun while this one was followed."""
    return result["result"] == "unknown" and any(each["name"] == OutOfTurn.name for each in result["reasons"])


def _may_be_unbegun(result: Result, place: Place) -> bool:
    """Whether a runner may have died after it had prepared what failed then: no runner has heard that the source
    goes.
    """
    return place.wait is not None and result["result"] in ("failed", "refused")


def _begun(asked: Asked, place: Place, ways: Ways, attempt: int) -> Result:
    if place.wait and place.is_over(time.time()):
        return report.refusal(asked.transfer, asked.src, asked.dst, [place.wait.reason()])
    return ways.begin(asked, place, attempt)


def nobody_knows(result: Mapping[str, Any]) -> bool:
    return any(reason["name"] == UnknownTransfer.name for reason in result["reasons"])
