"""Who is let in at a destination of a chain, and what those hear who are not."""

import pytest

from datamover.engine.chainreception import ChainReception
from datamover.engine.order import Order
from datamover.engine.stop import Stop
from datamover.engine.terms import Roster, Terms
from datamover.errors import Superseded
from datamover.wire import Failed, Hello, Reader
from tests.functional.datamover.ends import spec

HOSTS = ("alpha", "beta", "gamma")
TOKEN = bytes(range(32))


class Guest:
    """A connection in clear over which one message comes; `answers` are those that go back."""

    peer_address = "10.77.1.12"
    patience = None

    def __init__(self, message):
        self._rest = message.encode()
        self.answers = []

    def fill(self, view):
        view[:], self._rest = self._rest[: len(view)], self._rest[len(view) :]

    def send(self, data):
        reader = Reader()
        reader.feed(bytes(data))
        self.answers += reader.messages()


@pytest.fixture
def reception():
    """Gamma's, served by alpha since it has lost beta."""
    members = [{"host": host, "role": "destination" if host != "alpha" else "source"} for host in HOSTS]
    for each in members:
        each.update(addresses=["10.77.1.11"], port=4400, certificate="")
    terms = Terms.of({**spec("destination", "gamma"), "fanout": "chain"})
    roster = Roster({"transfer": "ab" * 16, "attempt": 1, "epoch": 1, "members": members})
    made = ChainReception(terms, roster, Order(HOSTS, "gamma"), lambda member: None, Stop())
    made._epoch, made._present = 65537, roster.source
    made.expect(1, TOKEN, bytes(32), lambda link: pytest.fail("it was taken"))
    made.hello = lambda host, epoch: Hello(
        transfer="ab" * 16, attempt=1, epoch=epoch, roster=roster.digest, host=host, role="bulk", stream=1, token=TOKEN,
        required=terms.features, optional=(), **terms.edition,
    )  # fmt: skip
    return made


def test_a_bulk_connection_of_a_link_that_another_one_replaced_hears_just_that(reception):
    """Not that it is no peer: then it would take this host for lost, and those behind it into its own hands."""
    guest = Guest(reception.hello("beta", 1))
    with pytest.raises(Superseded):
        reception.receive(guest, reception._present)
    (answer,) = guest.answers
    assert isinstance(answer, Failed) and answer.name == "superseded"
    assert "gamma is served by alpha (epoch 65537), not by beta with epoch 1" in answer.text
