"""Several runs of pytest share one suite: each file of tests is run by the one that claims it first.

`-p tests.support.lanes --claims DIRECTORY --first PATH` begins with what is below PATH. Who is done with that takes
what others have not begun with, beginning with what they come to last.
"""

import os
from itertools import chain
from pathlib import Path
from urllib.parse import quote

import pytest


def pytest_addoption(parser):
    parser.addoption("--claims", type=Path, help="directory, shared with other runs, of the files that one has begun")
    parser.addoption("--first", action="append", default=[], help="run what is below this path before all else")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    config = session.config
    if session.testsfailed or config.option.collectonly or not config.option.claims:
        return None
    files = list(by_file(session.items).items())
    for item, following in with_following(claimed(in_order(files, config.option.first), config.option.claims)):
        config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
    return True


def by_file(items):
    """{path: its items}, also of files between whose items pytest put those of others."""
    files = {}
    for item in items:
        files.setdefault(str(item.path), []).append(item)
    return files


def in_order(files, first):
    """The (path, items) of files: our own in their order, then those of others from the end."""
    places = tuple(os.path.join(os.path.abspath(place), "") for place in first)
    ours = [file for file in files if file[0].startswith(places)]
    return ours + [file for file in files[::-1] if file not in ours]


def claimed(files, claims):
    """The items of those files that nobody else has, each file claimed only when it is its turn."""
    return chain.from_iterable(items for path, items in files if claim(claims / quote(path, safe="")))


def claim(path):
    """Whether nobody was there before."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def with_following(items):
    """(item, the one that follows or None), so that pytest knows which fixtures the next one still needs."""
    items = iter(items)
    item = next(items, None)
    while item is not None:
        following = next(items, None)
        yield item, following
        item = following
