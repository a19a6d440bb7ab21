"""Reads JSON documents into frozen dataclasses: the types of the fields are the whole schema.

Keys that no field knows are ignored, so that a newer host may say more. A key without a default must be there and of
its type. Fields of type `bytes` hold paths and are read from their encoded form. All that is wrong is told at once.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .errors import BadAnswer
from .paths import decode_path, printable

MOST_PHRASES = 8
LONGEST_PHRASE = 120

Record = TypeVar("Record")
_NUMBERS: dict[type, tuple[type, ...]] = {int: (int,), float: (int, float)}


class _Wrong(Exception):
    """What does not fit, as a list of phrases that name the key."""

    def __init__(self, *phrases: str):
        super().__init__(*phrases)
        self.phrases = phrases


def read(record: type[Record], payload: Any, whose: str) -> Record:
    """The payload as a `record`; BadAnswer says everything that does not fit, and `whose` answer it is."""
    try:
        return _read_record(record, payload, "")
    except _Wrong as wrong:
        phrases = [printable(phrase)[:LONGEST_PHRASE] for phrase in wrong.phrases[:MOST_PHRASES]]
        raise BadAnswer(f"{whose} is not of the agreed form: {'; '.join(phrases)}", wrong=phrases) from None


def _read_record(record: type[Record], payload: Any, where: str) -> Record:
    if not isinstance(payload, Mapping):
        raise _Wrong(f"{where or 'it'} must be a mapping")
    hints = typing.get_type_hints(record)
    values: dict[str, Any] = {}
    phrases: list[str] = []
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        key = f"{where}.{field.name}" if where else field.name
        if field.name in payload:
            try:
                values[field.name] = _read_value(hints[field.name], payload[field.name], key)
            except _Wrong as wrong:
                phrases += wrong.phrases
        elif _required(field):
            phrases.append(f"{key} is missing")
    if phrases:
        raise _Wrong(*phrases)
    try:
        return record(**values)
    except ValueError as error:
        raise _Wrong(f"{where or 'it'}: {error}") from None


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _read_value(hint: Any, value: Any, key: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _read_record(typing.cast(type, hint), value, key)
    reader = _READERS.get(typing.get_origin(hint) or hint, _read_plain)
    return reader(hint, value, key)


def _read_plain(hint: Any, value: Any, key: str) -> Any:
    wanted = _NUMBERS.get(hint, (hint,))
    if hint is Any:
        return value
    if not isinstance(value, wanted) or (isinstance(value, bool) and hint is not bool):
        raise _Wrong(f"{key} must be of type {hint.__name__}")
    return value


def _read_path(_hint: Any, value: Any, key: str) -> bytes:
    try:
        return decode_path(_read_plain(str, value, key))
    except ValueError:
        raise _Wrong(f"{key} must be an encoded path") from None


def _read_optional(hint: Any, value: Any, key: str) -> Any:
    (inner,) = (part for part in typing.get_args(hint) if part is not type(None))
    return None if value is None else _read_value(inner, value, key)


def _read_tuple(hint: Any, value: Any, key: str) -> tuple[Any, ...]:
    inner = typing.get_args(hint)[0]
    if not isinstance(value, (list, tuple)):
        raise _Wrong(f"{key} must be a list")
    return tuple(_read_value(inner, item, f"{key}[{at}]") for at, item in enumerate(value))


def _read_mapping(hint: Any, value: Any, key: str) -> dict[str, Any]:
    inner = typing.get_args(hint)[1]
    if not isinstance(value, Mapping):
        raise _Wrong(f"{key} must be a mapping")
    return {str(name): _read_value(inner, item, f"{key}.{name}") for name, item in value.items()}


_READERS: dict[Any, Callable[[Any, Any, str], Any]] = {
    bytes: _read_path,
    tuple: _read_tuple,
    Mapping: _read_mapping,
    types.UnionType: _read_optional,
    typing.Union: _read_optional,
}
