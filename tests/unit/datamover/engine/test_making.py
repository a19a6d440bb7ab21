"""The list of a stream while it is made: whoever follows it hears what comes, and that nothing more comes."""

import pytest

from datamover.disk.journal import Journal
from datamover.engine.making import Making
from datamover.engine.stop import Stop, Stopped
from datamover.errors import ConnectionLost
from datamover.flow import segments


class Made:
    """A producer that is done at once."""

    def __init__(self, journal):
        self._journal = journal

    def walk(self):
        for entry in (segments.root(), segments.segment(1, 4)):
            self._journal.add([entry])
            yield entry


@pytest.fixture
def making():
    journal = Journal("")
    return Making(Made(journal), journal, Stop())


def test_a_link_that_ends_changes_nothing_for_the_next_one(making):
    """Also when it ends after all was made: that nothing more comes is still so."""
    first = Stop()
    following = making.followed(first)
    making.run()
    first.set(ConnectionLost("the control connection to beta broke"))
    with pytest.raises(Stopped):
        next(following.walk())
    assert [entry.number for entry in making.followed(Stop()).walk()] == [0, 1]
