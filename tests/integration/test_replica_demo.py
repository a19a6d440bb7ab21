"""The story of `./dev demo replica` ends well, and is the one that docs/database-repairs.md shows."""

import re

import pytest
from lab import replica_demo

MEGABYTES = 20


def plain(lines):
    """The lines without what differs from one time to the next: numbers, and how they are aligned."""
    return [re.sub(r"\s+", " ", re.sub(r"\d[\d.-]*", "N", line)).strip() for line in lines]


def shown():
    page = replica_demo.PAGE.read_text(encoding="utf-8")
    block = page.split(replica_demo.BEGIN)[1].split(replica_demo.END)[0]
    return block.strip().removeprefix("```text\n").removesuffix("\n```").splitlines()


@pytest.mark.slow
@pytest.mark.root
def test_a_replica_that_loses_everything_comes_back_as_the_page_tells():
    story = replica_demo.Story()
    replica_demo.tell(story, MEGABYTES)
    assert plain(story.lines) == plain(shown())
    (filled,) = (line for line in story.lines if "time zones" in line)
    assert int(filled.split()[0]) > 400
