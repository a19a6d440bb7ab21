"""What this master has noted of copies that their hosts know nothing of: those that are only being prepared, that wait,
or whose wait has ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import saltface
from datamover.errors import UnknownTransfer
from transferplan import errors
from transferplan import request as requests
from transferplan.paths import encode_path
from transferplan.request import Request
from transferplan.waits import WAITING, Wait

from . import asking, joining, looking
from .background import Asked, Book, nobody_knows

PREPARING = "it is being prepared, its hosts know nothing of it yet; ask again in a moment"
NEVER_BEGUN = "nothing of it has begun, and its runner is dead; ask for it again, by the same key if it has one"


def listed(opts: Mapping) -> list[dict[str, Any]]:
    """What waits for busy hosts, the first that was asked for first."""
    return list(_listed(Book(opts), time.time()))


def _listed(book: Book, now: float) -> Iterator[dict[str, Any]]:
    for asked in book.waiting():
        if wait := book.place(asked.transfer).wait:
            yield _entry(asked, wait, book.is_followed(asked.transfer), now)


def _entry(asked: Asked, wait: Wait, followed: bool, now: float) -> dict[str, Any]:
    told = asdict(asked)
    return {
        **{name: told[name] for name in ("transfer", "src", "dst", "asked_by")},
        **asdict(wait),
        "queues": [asdict(each) for each in wait.queues],
        "followed": followed,
        "text": wait.text(followed, now),
        "advice": wait.advice(asked.transfer, followed, now),
    }


def entries(opts: Mapping) -> list[dict[str, Any]]:
    """What waits, as entries of the list of transfers (`inventory`) in a state of their own."""
    told = {each["transfer"]: each for each in listed(opts)}
    asked = {transfer: found for transfer in told if (found := Book(opts).asked(transfer))}
    return [_as_transfer(told[transfer], _ends(opts, asked[transfer])) for transfer in asked]


def _as_transfer(told: Mapping[str, Any], ends: list[dict[str, Any]]) -> dict[str, Any]:
    waits = {name: told[name] for name in ("since", "seconds", "queues", "followed", "text", "advice")}
    entry = {"transfer": told["transfer"], "state": WAITING, "attempt": 1, "asked_by": told["asked_by"]}
    return {**entry, "ends": ends, "waits": waits}


def _ends(opts: Mapping, asked: Asked) -> list[dict[str, Any]]:
    """Its ends as its words name them; none if they are not understood any more."""
    try:
        places = read(opts, asked).ends()
    except errors.Refused:
        return []
    return [{"host": member.host, "role": member.role, "path": encode_path(places[member].path)} for member in places]


def waiting(opts: Mapping, transfer: str) -> Asked | None:
    """What was asked for by a copy that waits."""
    book = Book(opts)
    return book.asked(transfer) if book.waits(transfer) else None


def read(opts: Mapping, asked: Asked) -> Request:
    """What the words mean by which it was asked for."""
    return requests.read(asked.src, asked.dst, asked.options, saltface.master_layers(opts), asked.transfer)


def hosts_of(opts: Mapping, asked: Asked) -> list[str]:
    """The minions that the words name: of all others none can be an end of this transfer."""
    return sorted({member.host for member in read(opts, asked).ends()})


def _likely(opts: Mapping, transfer: str) -> list[str] | None:
    asked = Book(opts).asked(transfer)
    return hosts_of(opts, asked) if asked else None


def status(opts: Mapping, transfer: str, minions: Any) -> dict[str, Any]:
    """What the ends of a transfer tell; where none has told, what is noted here is told beside."""
    told = looking.about(opts, "status", transfer, minions, likely=_likely(opts, transfer))
    known = {} if told["ends"] else _known(opts, transfer)
    return {**told, **known, **(asking.ending("ok", ()) if known and nobody_knows(told) else {})}


def _known(opts: Mapping, transfer: str) -> dict[str, Any]:
    if waits := [each for each in listed(opts) if each["transfer"] == transfer]:
        return {"waiting": waits[0]}
    if outcome := Book(opts).result(transfer):
        return {"outcome": outcome}
    return {"preparing": told} if (told := _prepared(Book(opts), transfer)) else {}


def _prepared(book: Book, transfer: str) -> dict[str, Any] | None:
    """How a copy stands that was asked for and that no host knows: its runner asks them, or did not come so far."""
    asked = book.asked(transfer)
    if asked is None:
        return None
    followed = book.is_cared_for(transfer, time.time())
    told = asdict(asked)
    return {
        **{name: told[name] for name in ("transfer", "src", "dst", "asked_by")},
        "followed": followed,
        "text": PREPARING if followed else NEVER_BEGUN,
    }


def attached(opts: Mapping, transfer: str, minions: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Follow a transfer to its end; of one that no host knows, how it ended by what is noted here."""
    try:
        return joining.attach(opts, transfer, minions, options, likely=_likely(opts, transfer))
    except errors.Refused as refused:
        unknown = any(reason.name == UnknownTransfer.name for reason in refused.reasons)
        known = _known(opts, transfer) if unknown else {}
        if "preparing" in known:
            text = f"transfer {transfer}: {known['preparing']['text']}"
            raise errors.Refused([errors.Reason(UnknownTransfer.code, UnknownTransfer.name, text)]) from None
        if "outcome" not in known:
            raise
        return known["outcome"]


def show_place(opts: Mapping, asked: Asked) -> None:
    """To who follows a copy: for what it waits, and since when."""
    book = Book(opts)
    if wait := book.place(asked.transfer).wait:
        text = wait.text(book.is_followed(asked.transfer), time.time())
        saltface.screen(opts, read(opts, asked).settings.quiet).show(text)
