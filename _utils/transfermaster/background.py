"""Copies that were asked for by a key: begun once, followed in the background, told to whoever asks with the key again.

A master keeps of each a small record in its cache directory: what was asked, who follows, how it ended. Losing them
loses nothing but that: the transfer itself is recorded on its two hosts, and any process can attach to it there.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import saltface
from datamover.errors import UnknownTransfer
from datamover.host import documents, flock
from transferplan import errors
from transferplan.paths import printable

KEPT = 7 * 86400
MOST_OF_A_MINION = 8
MOST_FOLLOWERS = 3
MOMENT = 1.0
LONGEST_PAUSE = 15.0
CALL = 10.0

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

    def same(self, other: Asked) -> bool:
        return _plain(asdict(self)) == _plain({**asdict(other), "asked_by": self.asked_by})

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
        noted = documents.load(self._place(asked.transfer) / "asked.json")
        return Asked(**noted) if noted else asked

    def result(self, transfer: str) -> Result | None:
        return documents.load(self._place(transfer) / "result.json")

    def conclude(self, transfer: str, result: Result) -> None:
        """Write down how it ended. What was only lost out of sight is left for the next who follows, a few times."""
        if result["result"] != "unknown" or self.followers(transfer) >= MOST_FOLLOWERS:
            documents.save(self._place(transfer) / "result.json", result)

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
        """Whether a follower is to be called now: one that was called a moment ago may still be on its way."""
        called = self._place(transfer) / "called"
        if self.is_followed(transfer) or (called.exists() and now - called.stat().st_mtime < CALL):
            return False
        called.touch(mode=0o600)
        return True

    def open_of(self, minion: str) -> list[str]:
        """The transfers that a minion asked for and that have not ended."""
        noted = [documents.load(place / "asked.json") for place in self._places()]
        mine = [each for each in noted if each and each["asked_by"].get("user") == minion]
        return [each["transfer"] for each in mine if self.result(each["transfer"]) is None]

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
    if result is None and book.calls(asked.transfer, time.time()):
        arguments = {"src": noted.src, "dst": noted.dst, **noted.options, "key": asked.transfer, "test": asked.dry}
        saltface.in_background(opts, "transfer.copy", arguments, noted.asked_by.get("user", ""))
    return result or {"transfer": asked.transfer, "result": "running", "reasons": [], "retcode": 0}


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


def once(opts: Mapping, asked: Asked, begin: Callable[[Asked], Result], attach: Callable[[str], Result]) -> Result:
    """Begin this copy unless it was begun before: then attach to it, or tell how it ended."""
    book = Book(opts)
    noted = _noted(book, asked)
    pause = MOMENT
    while (own := book.follow(asked.transfer, pause)) is None:
        told = attach(asked.transfer)
        if not nobody_knows(told):
            return told
        pause = min(2 * pause, LONGEST_PAUSE)
    with own:
        return book.result(asked.transfer) or _followed(book, noted, begin, attach)


def _followed(book: Book, asked: Asked, begin: Callable[[Asked], Result], attach: Callable[[str], Result]) -> Result:
    came_before = book.followers(asked.transfer)
    book.count_follower(asked.transfer)
    result = attach(asked.transfer) if came_before and not asked.dry else None
    if result is None or nobody_knows(result):
        result = begin(asked)
    book.conclude(asked.transfer, result)
    return result


def nobody_knows(result: Mapping[str, Any]) -> bool:
    return any(reason["name"] == UnknownTransfer.name for reason in result["reasons"])
