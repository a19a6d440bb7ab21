import pytest

from hosttools.errors import BadPinhole
from hosttools.pinholes import Chain, Pinhole, check_lease, is_tag, tag, transfer_of

TAG = tag("a" * 32, 1)


def pinhole(**changes):
    return Pinhole(**{"tag": TAG, "sources": ("192.0.2.1",), "address": "192.0.2.9", "port": 4400, **changes})


def test_a_tag_names_transfer_and_attempt():
    assert tag("a" * 32, 2) == f"salt-transfer:{'a' * 32}:2"
    assert transfer_of(tag("abc", 2)) == "abc"


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "salt-transfer:", "salt-transfer:a:", "x salt-transfer:a:1", "salt-transfer:a:1 x",
     "salt-transfer:a/b:1", 'salt-transfer:a":1', "salt-transfer:a:1\n", "salt-transfer:a:1:2",
     f"salt-transfer:{'a' * 65}:1"],
)  # fmt: skip
def test_what_only_looks_like_a_tag_is_none(text):
    assert not is_tag(text)


def test_a_pinhole_under_a_strange_tag_is_refused():
    with pytest.raises(BadPinhole, match="is no tag of a pinhole"):
        pinhole(tag="mine")


def test_addresses_are_kept_as_firewalls_write_them_and_once():
    hole = pinhole(sources=("192.0.2.1", "::ffff:192.0.2.1", "2001:DB8:0::1", "2001:db8::1"))
    assert hole.sources == ("192.0.2.1", "2001:db8::1")


@pytest.mark.parametrize("source", ["beta", "192.0.2.0/24", "192.0.2.1; flush ruleset", "", "fe80::1%eth0"])
def test_what_is_no_address_is_refused(source):
    with pytest.raises(BadPinhole, match="address|link"):
        pinhole(sources=(source,))


def test_a_pinhole_for_nobody_is_refused():
    with pytest.raises(BadPinhole, match="at least one source"):
        pinhole(sources=())


@pytest.mark.parametrize("port", [0, 65536, -1, "4400", True, 4400.0])
def test_what_is_no_port_is_refused(port):
    with pytest.raises(BadPinhole, match="no port"):
        pinhole(port=port)


def test_another_protocol_is_refused():
    with pytest.raises(BadPinhole, match="not for 'udp'"):
        pinhole(protocol="udp")


@pytest.mark.parametrize("lease", [0, -1, 86401, float("inf"), float("nan"), "30", True, None])
def test_what_is_no_lease_is_refused(lease):
    with pytest.raises(BadPinhole, match="no lease"):
        check_lease(lease)


@pytest.mark.parametrize(("lease", "seconds"), [(30, 30), (30.0, 30), (0.2, 1), (2.5, 3)])
def test_a_lease_is_kept_in_whole_seconds_and_never_cut_short(lease, seconds):
    assert check_lease(lease) == seconds


@pytest.mark.parametrize(
    ("family", "needed"), [("ip", ("ip",)), ("ip6", ()), ("inet", ("ip",))], ids=lambda value: str(value)
)
def test_a_chain_needs_rules_for_the_families_it_sees_and_the_sources_have(family, needed):
    assert pinhole().families(Chain("nft", "", family, "filter", "input")) == needed
