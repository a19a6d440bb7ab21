import json

import pytest

from hosttools import forbidden
from hosttools.errors import BadPinhole, BadPorts, ForbidUnreadable, PinholeForbidden
from hosttools.forbidden import Entry


@pytest.mark.parametrize(
    ("entry", "source", "port", "covered"),
    [
        (Entry(), "192.0.2.1", 4400, True),
        (Entry(), "2001:db8::1", 1, True),
        (Entry(source="192.0.2.0/24"), "192.0.2.1", 4400, True),
        (Entry(source="192.0.2.0/24"), "198.51.100.1", 4400, False),
        (Entry(source="192.0.2.0/24"), "2001:db8::1", 4400, False),
        (Entry(source="2001:db8::1"), "2001:db8:0::1", 4400, True),
        (Entry(ports="4400-4409"), "192.0.2.1", 4409, True),
        (Entry(ports="4400-4409"), "192.0.2.1", 4410, False),
        (Entry(source="192.0.2.1", ports="22"), "192.0.2.1", 22, True),
        (Entry(source="192.0.2.1", ports="22"), "192.0.2.1", 23, False),
    ],
)
def test_an_entry_covers_its_network_and_its_ports(entry, source, port, covered):
    assert bool(forbidden.refusals([entry], [source], port)) is covered


def test_an_address_in_ipv6_clothes_does_not_slip_through():
    assert forbidden.refusals([Entry(source="192.0.2.1")], ["::ffff:192.0.2.1"], 4400)


def test_every_reason_is_told_at_once(tmp_path):
    forbidden.add(tmp_path, Entry(source="192.0.2.0/24", reason="the lab is no customer"))
    forbidden.add(tmp_path, Entry(ports="4400-4499"))
    with pytest.raises(PinholeForbidden) as caught:
        forbidden.check(tmp_path, ["192.0.2.1"], 4400)
    assert caught.value.evidence["reasons"] == [
        "An administrator forbade pinholes to every port for 192.0.2.0/24 on this host: the lab is no customer",
        "An administrator forbade pinholes to ports 4400-4499 for every source on this host.",
    ]


def test_one_forbidden_source_among_several_is_enough(tmp_path):
    forbidden.add(tmp_path, Entry(source="192.0.2.1"))
    with pytest.raises(PinholeForbidden):
        forbidden.check(tmp_path, ["198.51.100.1", "192.0.2.1"], 4400)


def test_nothing_is_forbidden_where_nobody_forbade_anything(tmp_path):
    forbidden.check(tmp_path / "never made", ["192.0.2.1"], 4400)


def test_what_is_forbidden_lasts_until_it_is_removed(tmp_path):
    state = tmp_path / "new" / "state"
    forbidden.add(state, Entry(source="192.0.2.0/24"))
    forbidden.add(state, Entry(ports="22"))
    assert [entry.key for entry in forbidden.read(state)] == [("192.0.2.0/24", ""), ("", "22")]
    assert forbidden.remove(state, Entry(source="192.0.2.0/24")) == [Entry(ports="22")]
    assert forbidden.read(state) == [Entry(ports="22")]


def test_forbidding_the_same_again_keeps_the_newer_reason(tmp_path):
    forbidden.add(tmp_path, Entry(ports="22", reason="old"))
    assert forbidden.add(tmp_path, Entry(ports="22", reason="new")) == [Entry(ports="22", reason="new")]


def test_the_file_is_private(tmp_path):
    forbidden.add(tmp_path / "state", Entry())
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / forbidden.FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"format": 2, "forbidden": []}', '{"format": 1, "forbidden": [{"colour": "red"}]}',
     '{"format": 1, "forbidden": [{"source": "everywhere"}]}', '{"format": 1, "forbidden": [{"ports": "0"}]}'],
)  # fmt: skip
def test_a_file_that_cannot_be_read_forbids_everything(tmp_path, text):
    (tmp_path / forbidden.FILE).write_text(text)
    with pytest.raises(ForbidUnreadable, match=f"{tmp_path}/{forbidden.FILE} cannot be read, so no pinhole is opened"):
        forbidden.check(tmp_path, ["192.0.2.1"], 4400)


def test_a_file_that_cannot_be_read_is_not_overwritten(tmp_path):
    (tmp_path / forbidden.FILE).write_text("precious, but broken")
    with pytest.raises(ForbidUnreadable):
        forbidden.add(tmp_path, Entry())
    assert (tmp_path / forbidden.FILE).read_text() == "precious, but broken"


def test_the_file_of_this_version_stays_readable(tmp_path):
    released = {"format": 1, "forbidden": [{"source": "192.0.2.0/24", "ports": "4400-4499", "reason": "r"}]}
    assert forbidden.parse(json.dumps(released)) == [Entry("192.0.2.0/24", "4400-4499", "r")]


@pytest.mark.parametrize("source", ["beta", "192.0.2.1/24", "192.0.2.0/33"])
def test_what_is_no_network_cannot_be_forbidden(source):
    with pytest.raises(BadPinhole, match="neither an address nor a network"):
        Entry(source=source)


def test_what_is_no_port_cannot_be_forbidden():
    with pytest.raises(BadPorts):
        Entry(ports="http")


@pytest.mark.parametrize(
    "entry, closes",
    [
        (Entry(), True),
        (Entry(ports="4400-4499"), True),
        (Entry(ports="4300-5000", reason="never"), True),
        (Entry(ports="4400-4498"), False),
        (Entry(ports="4450"), False),
        (Entry(source="10.0.0.0/8"), False),
    ],
)
def test_what_forbids_every_pinhole_to_a_range_is_told_before_one_is_asked_for(tmp_path, entry, closes):
    forbidden.add(tmp_path, entry)
    assert forbidden.closed(tmp_path, range(4400, 4500)) == ([entry.sentence()] if closes else [])


def test_a_file_that_cannot_be_read_forbids_every_pinhole(tmp_path):
    (tmp_path / forbidden.FILE).write_text("{")
    (why,) = forbidden.closed(tmp_path, range(4400, 4500))
    assert "cannot be read, so no pinhole is opened" in why
