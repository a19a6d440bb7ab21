"""What a program says to whoever runs it, and what it hears: no I/O here.

A program is a generator that yields Commands, is sent their Results and returns its value:

    def hostname():
        result = yield Command(("hostname",))
        return result.stdout.decode().strip()

    drive(hostname(), run)

`run` takes anything with `argv` and `stdin` and returns anything with `status`, `stdout` and `stderr`. A tool
that is not installed is a result with the status 127, as in a shell.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import CommandFailed

MISSING = 127
ANY = None

T = TypeVar("T")


@dataclass(frozen=True)
class Command:
    """One call of a host tool.

    A status outside `ok` raises CommandFailed in the program; ANY leaves it to the program.
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    ok: frozenset[int] | None = frozenset({0})


@dataclass(frozen=True)
class Result:
    """How a call ended."""

    status: int = 0
    stdout: bytes = b""
    stderr: bytes = b""


Program = Generator[Command, Any, T]
Run = Callable[[Command], Any]


def drive(program: Program[T], run: Run) -> T:
    """Carry out a program with `run` and return its value."""
    try:
        command = next(program)
        while True:
            command = _step(program, command, run(command))
    except StopIteration as end:
        return end.value


def _step(program: Program, command: Command, result: Any) -> Command:
    if command.ok is ANY or result.status in command.ok:
        return program.send(result)
    return program.throw(failure(command, result))


def failure(command: Command, result: Any) -> CommandFailed:
    """The sentence for a call that ended badly."""
    called = " ".join(command.argv)
    return CommandFailed(
        f"`{called}` ended with status {result.status}: {words(result)}", argv=list(command.argv), status=result.status
    )


def words(result: Any) -> str:
    """What a tool said about its trouble, on one line."""
    said = (result.stderr or result.stdout).decode("utf-8", "backslashreplace")
    return "; ".join(line.strip() for line in said.splitlines() if line.strip()) or "it said nothing"
