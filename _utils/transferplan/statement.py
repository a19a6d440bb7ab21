"""What a minion signs: its answer together with the question that it answers.

The bytes that are signed are the canonical JSON of the statement, so both sides can compute them from the document.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from . import paths, shapes
from .errors import BadAnswer, StatementMismatch
from .version import PROJECT

LARGEST_PAYLOAD = 64 * 1024
SHORTEST_NONCE = 32


def canonical(document: Any) -> bytes:
    """The one JSON form of a document: keys sorted, no blanks, ASCII only."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def digest(document: Any) -> str:
    """SHA-256 over the canonical form, as hex: what tells one spec from another."""
    return hashlib.sha256(canonical(document)).hexdigest()


@dataclass(frozen=True)
class Question:
    """What a statement must answer. Functions that belong to no transfer have transfer "", attempt 0 and role ""."""

    minion: str
    nonce: str
    transfer: str = ""
    attempt: int = 0
    role: str = ""
    project: str = PROJECT

    def __post_init__(self) -> None:
        if len(self.nonce) < SHORTEST_NONCE:
            raise ValueError(f"a nonce has at least {SHORTEST_NONCE} characters")

    def state(self, payload: Any) -> dict[str, Any]:
        """The statement that answers this question with `payload`; BadAnswer if that is too large."""
        size = len(_written(payload, f"The answer of {self.minion}"))
        if size > LARGEST_PAYLOAD:
            raise BadAnswer(
                f"The answer of {self.minion} has {size} bytes, more than the {LARGEST_PAYLOAD} it may have"
            )
        return {**asdict(self), "payload": payload}

    def payload_of(self, statement: Any) -> Any:
        """The payload of a statement that answers this very question; StatementMismatch says what differs."""
        found = shapes.read(Statement, statement, f"The statement of {self.minion}")
        for part in ("project", "minion", "role", "transfer", "attempt", "nonce"):
            told, wanted = getattr(found, part), getattr(self, part)
            if told != wanted:
                shown = paths.printable(str(told))[:80]
                raise StatementMismatch(
                    f"{self.minion} signed another {part} than was asked for: {shown}, not {wanted}", part=part
                )
        self.state(found.payload)
        return found.payload


@dataclass(frozen=True)
class Statement:
    project: str
    transfer: str
    attempt: int
    role: str
    minion: str
    nonce: str
    payload: Any


@dataclass(frozen=True)
class Signed:
    """What travels: a statement and the signature over its canonical form."""

    statement: Mapping[str, Any]
    signature: str

    @classmethod
    def from_return(cls, returned: Any, minion: str) -> Signed:
        """The signed statement in what a minion's function returned; BadAnswer if it holds none."""
        return shapes.read(cls, returned, f"What {minion} returned")

    def signed_bytes(self) -> bytes:
        """What the signature must be over."""
        return _written(self.statement, "A signed statement")


def _written(document: Any, whose: str) -> bytes:
    """The canonical form of a document that somebody else made, which may have none."""
    try:
        return canonical(document)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadAnswer(f"{whose} cannot be written as JSON: {paths.printable(str(error))[:80]}") from error
