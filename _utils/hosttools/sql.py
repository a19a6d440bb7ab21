"""How to speak to a MariaDB or MySQL server through its own command line client: words, rows and documents.

Statements travel on standard input and credentials in a file that only root can read, so neither is ever in an argv.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .commands import ANY, Command
from .errors import UnreadableOutput

CLIENTS = ("mariadb", "mysql")
# Sessions of ours mean the same whatever the server is set to: how strings are quoted, what a time is; no answer is
# cut, no statement ended.
PREAMBLE = (
    "SET SESSION sql_mode='', time_zone='+00:00', sql_select_limit=18446744073709551615"
    " /*M!100101 , max_statement_time=0 */;\n"
)

_ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def quote(text: str) -> str:
    """A string as a literal, in a session that begins with the preamble."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def identifier(name: str) -> str:
    """A name of a schema, table or column as a statement takes it."""
    return "`" + name.replace("`", "``") + "`"


def defaults(access: Mapping[str, str]) -> str:
    """The text of a defaults file with which the client logs in."""
    lines = [f"{name}={_option(str(value))}" for name, value in access.items() if value not in ("", None)]
    return "\n".join(["[client]", *lines, ""])


def _option(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


def client(tool: str, defaults_file: str, statements: str, raw: bool = False) -> Command:
    """The call that runs statements; raw for documents, otherwise what is printed can be read by `rows`."""
    shape = ("--raw", "--skip-column-names") if raw else ()
    argv = (tool, f"--defaults-file={defaults_file}", "--batch", "--default-character-set=utf8mb4", *shape)
    return Command((*argv, "--connect-timeout=10"), (PREAMBLE + statements).encode(), ANY)


def rows(printed: bytes) -> list[dict[str, str | None]]:
    """The rows of one result, by the names of its columns. NULL and the word NULL cannot be told apart here."""
    header, *lines = printed.decode("utf-8", "replace").split("\n")
    names = header.split("\t")
    return [dict(zip(names, map(_field, line.split("\t")), strict=False)) for line in lines if line]


def _field(text: str) -> str | None:
    return None if text == "NULL" else _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), text)


def documents(printed: bytes) -> Iterator[Any]:
    """The results of queries of which each row is one JSON document."""
    for line in filter(None, printed.decode("utf-8", "replace").split("\n")):
        try:
            yield json.loads(line, strict=False)
        except ValueError:
            raise UnreadableOutput(f"The database client printed what is no JSON: {line[:200]!r}") from None


def trouble(stderr: bytes) -> tuple[int, str]:
    """The number and the words of the server or client in what a failed call said; never the statement itself."""
    for line in stderr.decode("utf-8", "replace").split("\n"):
        if found := re.match(r"ERROR (\d+) \([0-9A-Z]+\)(?: at line \d+)?: (.*)", line):
            return int(found[1]), found[2].strip()
    return 0, "it said nothing that could be read"
