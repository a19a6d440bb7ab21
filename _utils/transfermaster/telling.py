"""How a runner's answer reaches who called it: told in words to who looks on, and as a document where those are not
enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import saltface

from . import drive

Lines = Callable[[Mapping[str, Any]], list[str]]


def words(opts: Mapping, name: str, endings: Mapping[str, Lines], looks: Mapping[str, Lines]) -> Lines | None:
    """The words for what a function returns: how something ended that people waited for, always; all else, unless they
    ask for it in another form.
    """
    return endings.get(name) or (None if opts.get("output") else looks.get(name))


def _aloud() -> bool:
    return False


def for_salt(
    opts: Mapping, function: str, answer: Mapping[str, Any], lines: Lines | None,
    quiet: Callable[[], bool] = _aloud,
) -> dict[str, Any]:
    """The answer as Salt shall print it: what a terminal shows in words is not printed there as a document too.

    What is part of something greater, such as an orchestration, tells nobody.
    """
    if opts.get("fun") == function:
        answer = _in_words(opts, answer, lines, quiet)
        if isinstance(answer, saltface.Shown) and (outputter := saltface.needs_no_document(opts)):
            return {**answer, "outputter": outputter}
    return dict(answer)


def _in_words(
    opts: Mapping, answer: Mapping[str, Any], lines: Lines | None, quiet: Callable[[], bool]
) -> Mapping[str, Any]:
    """The answer, told to who looks on if nothing has told it yet. Where a minion told what has no words, the document
    is all there is.
    """
    if lines is None or isinstance(answer, saltface.Shown):
        return answer
    screen = saltface.screen(opts, quiet())
    try:
        told = lines(answer)
    except Exception as error:
        drive.bug(error)
        return answer
    screen.say(told)
    return screen.shown(dict(answer))
