"""The command blocks of README and docs as something to run: what is typed where, and what is promised to come out.

    ```console
    $ salt-run transfer.copy src=db1:/srv/data dst=db2:/srv/      on the master
    ok: db1:/srv/data to db2:/srv/data                            compared, but for ids, times, rates and free space
    ...                                                           any lines
    db2$ ls /srv                                                  on db2; without output below only the status counts
    ```

Comments of a page that readers do not see steer it: `<!-- on HOST: COMMAND -->` is run there and then,
`<!-- each on HOST: COMMAND -->` before every command of the next block, and `<!-- not run: REASON -->` leaves that out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

COMMANDS = ("console", "bash", "sh")
MASTER = "master"
ANYTHING = "..."
PROMPT = re.compile(r"(?:(?P<host>[a-z0-9]+))?\$ (?P<command>.*)")
FENCE = re.compile(r"```(?P<language>[\w{}-]*)\s*$")
COMMENT = re.compile(r"<!-- (?P<kind>on|each on|not run)(?: (?P<host>\w+))?: (?P<text>.*?) -->", re.DOTALL)

TRANSFER = re.compile(r"\b[0-9a-f]{32}\b")
VARIES = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "ROOT"),
    (TRANSFER, "TRANSFER"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.+:Z]*"), "DATE"),
    (re.compile(r"[\d.,]+ [KMGT]?i?B/s"), "RATE"),
    (re.compile(r"\b(?:\d+ d )?(?:\d+ h )?(?:\d+ min )?\d+(?:\.\d+)? (?:s|ms|min|h)\b"), "SPAN"),
    (re.compile(r"[\d.]+ [KMGT]?i?B free"), "ROOM free"),
    (re.compile(r"[\d.]+ [KMGT]?i?B of it stay"), "ROOM of it stay"),
    (re.compile(r"[\d.]+ [KMGT]?i?B travelled"), "SIZE travelled"),
    (re.compile(r"[\d.]+ [KMGT]?i?B of "), "SIZE of "),
    (re.compile(r"\b44\d\d\b"), "PORT"),
)
PHASES = "connecting|proved|moving|verifying|sealed|publishing|published"
PASSING = re.compile(rf"({PHASES})\s{{2,}}|slowest, | +time  |.*(unclosed|self\._closing|Enable tracemalloc)")


@dataclass(frozen=True)
class Step:
    """One command. `shown` are the lines of its output in the page, None where it is none of the page's."""

    host: str
    command: str
    line: int
    shown: tuple[str, ...] | None = None

    @property
    def compared(self):
        return bool(self.shown)


@dataclass(frozen=True)
class Omission:
    """A block that is not run, and why; without a reason the page is at fault."""

    line: int
    reason: str


def read(text):
    """The steps and omissions of a page, in its order."""
    lines = text.splitlines()
    each, reason, at = [], "", 0
    while at < len(lines):
        comment, length = _comment(lines, at)
        fence = FENCE.match(lines[at])
        if comment:
            step = Step(comment["host"] or MASTER, comment["text"], at + 1)
            match comment["kind"]:
                case "on":
                    yield step
                case "each on":
                    each.append(step)
                case _:
                    reason = comment["text"]
            at += length
        elif fence:
            end = next(number for number in range(at + 1, len(lines)) if lines[number].startswith("```"))
            if fence["language"] in COMMANDS:
                yield from _block(fence["language"], lines[at + 1 : end], at + 2, each, reason)
                each, reason = [], ""
            at = end + 1
        else:
            at += 1


def _comment(lines, at):
    """The comment that begins on this line, if it steers, and how many lines it takes."""
    if not lines[at].startswith("<!-- "):
        return None, 0
    text = "\n".join(lines[at:])
    found = COMMENT.match(text)
    return found, found[0].count("\n") + 1 if found else 0


def _block(language, lines, first, each, reason):
    if reason:
        yield Omission(first, reason)
        return
    if language != "console":
        yield Omission(first, "")
        return
    for step in _steps(lines, first):
        yield from each
        yield step


def _steps(lines, first):
    at = 0
    while at < len(lines):
        found = PROMPT.fullmatch(lines[at])
        if not found:
            raise ValueError(f"line {first + at}: output before any command: {lines[at]!r}")
        start, command = at, found["command"]
        while command.endswith("\\"):
            at += 1
            command = f"{command[:-1]}{lines[at].strip()}"
        end = at + 1
        while end < len(lines) and not PROMPT.fullmatch(lines[end]):
            end += 1
        yield Step(found["host"] or MASTER, command, first + start, tuple(lines[at + 1 : end]))
        at = end


def plain(output):
    """The lines of an output without what differs from one time to the next."""
    lines = [line.rstrip() for line in output.splitlines() if not PASSING.match(line)]
    return [_without_what_varies(line) for line in lines]


def _without_what_varies(line):
    for pattern, word in VARIES:
        line = pattern.sub(word, line)
    return re.sub(r"\s{2,}", "  ", line)


def fits(shown, output):
    """Whether an output is what the page shows."""
    return _fits(plain("\n".join(shown)), plain(output))


def _fits(wanted, got):
    if not wanted:
        return not got
    if wanted[0] == ANYTHING:
        return any(_fits(wanted[1:], got[number:]) for number in range(len(got) + 1))
    return bool(got) and wanted[0] == got[0] and _fits(wanted[1:], got[1:])


def with_transfer(command, transfer):
    """The command as somebody would type it now: about the transfer of which was told last."""
    return re.sub(r"\bTRANSFER\b|\b[0-9a-f]{32}\b", transfer or "TRANSFER", command)


def last_transfer(output, known):
    """The id that an output told last; the one that is known if it told none."""
    return (TRANSFER.findall(output) or [known])[-1]
