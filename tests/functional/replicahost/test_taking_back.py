"""An installation that is taken back on a real server, though something is in its way."""

import pytest

from tests.support.databases import Refused
from tests.support.waiting import eventually

from .conftest import INCOMING

pytestmark = pytest.mark.root


@pytest.fixture
def started(pair):
    """What the replica was, of which the new data was installed and started."""
    before = pair.call("replica.info")
    pair.bring()
    pair.call("replica.install", INCOMING, confirm="db2", discard_own_writes=True)
    pair.call("replica.start_isolated")
    return before


def test_a_name_that_is_taken_meanwhile_keeps_no_old_data_away(pair, started):
    pair.replica.machine.run(["mkdir", INCOMING])
    (told,) = pair.call("replica.roll_back")["told"]
    assert f"because {INCOMING} is taken" in told
    pair.as_before(started)
    pair.replica.machine.run(["sh", "-c", f"rm -r {INCOMING} {INCOMING}-*"])


def test_a_server_whose_data_cannot_be_put_back_is_not_started_until_it_can(pair, started):
    kept = pair.call("replica.info")["installation"]["kept"]
    pair.replica.machine.run(["mv", kept, "/srv/elsewhere"])
    with pytest.raises(Refused, match=r"look for it in.*Until then these wait: unit, running"):
        pair.call("replica.roll_back")
    now = pair.call("replica.info")
    assert (now["running"], now["unit"]["masked"]) == (False, True)
    assert "look for it in" in now["installation"]["trouble"]
    with pytest.raises(Refused, match="is being taken back"):
        pair.call("replica.start_isolated")
    pair.replica.machine.run(["mv", "/srv/elsewhere", kept])
    assert eventually(lambda: pair.call("replica.info")["installation"] is None)
    pair.as_before(started)


def test_what_statements_had_made_of_the_server_comes_back_with_it(pair):
    before = pair.call("replica.info")
    pair.replica.sql("STOP SLAVE SQL_THREAD; SET GLOBAL event_scheduler=ON")
    pair.bring()
    pair.call("replica.install", INCOMING, confirm="db2", discard_own_writes=True)
    pair.call("replica.start_isolated")
    pair.call("replica.roll_back")
    now = pair.call("replica.info")
    (channel,) = now["channels"]
    assert (channel["sql"], channel["io"]) == ("No", "Yes")
    assert [now["variables"][name] for name in ("read_only", "event_scheduler")] == ["ON", "ON"]
    pair.replica.sql("START SLAVE SQL_THREAD; SET GLOBAL event_scheduler=OFF")
    pair.as_before(before)
