"""The firewall backend that CONTRIBUTING.md shows, made known as it says there: what every backend must do, it does."""

from types import SimpleNamespace

import pytest

from hosttools import firewall, nft
from tests.unit.test_contributing import BACKEND, GUARD, names

from . import test_firewall_conformance as conformance
from .guards import Guard
from .test_firewall_conformance import destination, net, source, third  # noqa: F401

pytestmark = pytest.mark.root

SITE = names(GUARD, Guard=Guard)["SITE"]
BY_GUARDS = ("test_a_lease_is_renewed_ends_by_itself_and_leaves_nothing", "test_opening_the_same_again_goes_to_the_top")
"""Those that go over the guards themselves."""

globals().update(
    (name, test) for name, test in vars(conformance).items() if name.startswith("test_") and name not in BY_GUARDS
)


@pytest.fixture(params=[SITE], ids=lambda guard: guard.name)
def guard(request):
    return request.param


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The steps of the page."""
    own = SimpleNamespace(**names(BACKEND, "hosttools"))
    monkeypatch.setitem(firewall.BACKENDS, own.NAME, own)
    monkeypatch.setattr(firewall, "nft", SimpleNamespace(**{**vars(nft), "deciding": own.deciding}))
    monkeypatch.setitem(conformance.INSERT, own.NAME, conformance.insert_by_nft)


def test_its_lease_is_renewed_ends_by_itself_and_leaves_nothing():
    conformance.live_and_die(SITE, None)
