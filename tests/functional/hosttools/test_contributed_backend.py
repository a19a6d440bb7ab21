"""The firewall backend that CONTRIBUTING.md shows, on a real firewall: who gets in, and that it ends by itself."""

import pytest

from hosttools.commands import drive
from hosttools.errors import PinholeGone
from hosttools.pinholes import Pinhole, tag
from tests.support.waiting import eventually
from tests.unit.test_contributing import BACKEND, names

from .hosts import PORT, hosts

pytestmark = pytest.mark.root

TAG = tag("0123456789abcdef0123456789abcdef", 1)
RULES = """
table inet site {
    set transfers { type ipv4_addr . inet_service; flags timeout; }
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established accept
        ip saddr . tcp dport @transfers accept
    }
}
"""


@pytest.fixture
def net():
    with hosts() as net:
        net["destination"].call("nft", "-f", "-", stdin=RULES)
        with net["destination"].listening(PORT):
            yield net


@pytest.fixture
def backend(net):
    """do(function, ...) of the backend, on the destination."""
    own = names(BACKEND)
    return lambda function, *args: drive(own[function](*args), net["destination"].run)


@pytest.fixture
def pinhole(net):
    return Pinhole(TAG, (net["source"].addresses["ip"],), net["destination"].addresses["ip"], PORT)


def test_it_lets_the_source_in_and_nobody_else_until_it_is_closed(net, backend, pinhole):
    backend("open", pinhole, 600)
    backend("renew", pinhole, 600)
    assert net["source"].reaches(net["destination"], "ip")
    assert not net["third"].reaches(net["destination"], "ip", patience=0.5)
    (opening,) = backend("openings")
    assert (opening.tag, opening.source, opening.port) == (TAG, *pinhole.sources, PORT)
    backend("close", TAG)
    backend("close", TAG)
    assert not net["source"].reaches(net["destination"], "ip", patience=0.5)
    assert backend("openings") == []


def test_it_ends_by_itself_and_says_so_to_who_renews_too_late(backend, pinhole):
    backend("open", pinhole, 1)
    assert eventually(lambda: backend("openings") == [])
    with pytest.raises(PinholeGone):
        backend("renew", pinhole, 1)
