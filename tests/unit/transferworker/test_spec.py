"""A spec is checked as a whole, before anything is touched."""

import pytest

from datamover.errors import SpecInvalid, VersionMismatch
from tests.unit.transferworker.samples import spec
from transferworker.spec import check


@pytest.mark.parametrize("role", ["source", "destination"])
def test_a_spec_as_a_plan_makes_it_is_taken(role):
    check(spec(role), "alpha")


BACKUP = {
    "type": "xtrabackup",
    "tool": "mariabackup",
    "unpacker": "mbstream",
    "vendor": "mariadb",
    "server_version": "10.11",
    "datadir": "/srv/mysql",
    "parallel": 4,
    "slave_info": True,
    "stop_replication": False,
    "keep_stream": False,
}
ARCHIVE = {"type": "decompress", "format": "zst", "expect": "backup"}
PROBE = {"type": "probe", "seconds": 2, "bytes": 2**31}


@pytest.mark.parametrize("stream", [BACKUP, ARCHIVE, PROBE])
def test_a_stream_is_taken_as_a_plan_makes_it(stream):
    check(spec(stream=stream, settings__verify="flight"), "alpha")


@pytest.mark.parametrize(
    "stream",
    [
        None,
        {},
        {"type": "rsync"},
        {**BACKUP, "tool": "sh"},
        {**BACKUP, "unpacker": "../mbstream"},
        {**BACKUP, "datadir": "/srv/../etc"},
        {**BACKUP, "parallel": 65},
        {**BACKUP, "more": 1},
        {"type": "xtrabackup"},
        {**ARCHIVE, "format": "zip"},
        {**ARCHIVE, "expect": "anything"},
        {**PROBE, "seconds": 11},
        {**PROBE, "bytes": 2**31 + 1},
        {"type": "probe"},
    ],
)
def test_a_stream_that_is_not_exactly_what_its_type_needs_is_refused(stream):
    with pytest.raises(SpecInvalid, match="stream must be"):
        check(spec(stream=stream, settings__verify="flight"), "alpha")


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("settings__verify", "readback", "proved in flight"),
        ("settings__overwrite", True, "where nothing is"),
        ("settings__keep_partial", 60, "cannot be gone on with"),
        ("attempt", 2, "cannot be gone on with"),
    ],
)
def test_what_a_stream_cannot_be(name, value, words):
    with pytest.raises(SpecInvalid, match=words):
        check(spec(**{"stream": BACKUP, "settings__verify": "flight", name: value}), "alpha")


def test_a_probe_is_of_two_hosts():
    gamma = {"host": "gamma", "role": "destination", "addresses": ["127.0.0.1"]}
    for more in ({"fanout": "chain"}, {"role": "source", "listen": None, "peers": [{**gamma, "host": "beta"}, gamma]}):
        with pytest.raises(SpecInvalid, match="the way between two hosts"):
            check(spec(stream=PROBE, settings__verify="flight", **more), "alpha")


def test_a_stream_may_go_along_a_chain():
    check(spec(stream=BACKUP, settings__verify="flight", fanout="chain"), "alpha")


WRONG = {
    "format": 2,
    "project": "another",
    "transfer": "../../etc",
    "dataset": "x" * 32,
    "attempt": 0,
    "generation": -1,
    "epoch": True,
    "leaf": -1,
    "role": "spectator",
    "host": "beta",
    "expect__bytes": -1,
    "expect__entries": "10",
    "peers": [],
    "firewall__chains": ["INPUT"],
    "listen__addresses": ["example.com"],
    "listen__ports": [4499, 4400],
    "listen__port": 65536,
    "settings__digest": "md5",
    "settings__verify": "no",
    "settings__encrypt": "yes",
    "settings__streams": 0,
    "settings__block_size": 1,
    "settings__owners": "none",
    "settings__special": ["everything"],
    "settings__include": ["!a"] * 501,
    "settings__exclude": ["a//b"],
    "settings__lease": 0,
    "settings__stall_timeout": 0,
    "settings__keep_partial": True,
    "settings__overwrite": None,
    "settings__reserve_bytes": -1,
    "settings__reserve_inodes": 2.5,
}


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_value_is_named(name):
    with pytest.raises(SpecInvalid) as refusal:
        check(spec(**{name: WRONG[name]}), "alpha")
    assert name.split("__")[-1 if name.startswith("settings") else 0] in refusal.value.text


@pytest.mark.parametrize(
    "path", ["", "srv", "/", "//srv", "/srv/", "/srv/../etc", "/srv/./x", "/srv/%2E%2E/etc", "/srv/x%00y", "/srv//x", 7]
)
def test_a_path_that_could_lead_elsewhere_is_refused(path):
    with pytest.raises(SpecInvalid, match="path must be"):
        check(spec(path=path), "alpha")


@pytest.mark.parametrize("path", ["/srv/-rf", "/srv/%FF%0A", "/srv/... ", "/srv/a b$(id)"])
def test_a_path_that_is_only_odd_is_taken(path):
    check(spec(path=path), "alpha")


def test_all_troubles_are_told_at_once():
    with pytest.raises(SpecInvalid) as refusal:
        check(spec(path="x", attempt=0, settings__streams=0), "alpha")
    assert len(refusal.value.evidence["troubles"]) == 3


@pytest.mark.parametrize("name", ["transfer", "settings", "peers", "listen", "path"])
def test_what_is_missing_is_refused(name):
    document = spec()
    del document[name]
    with pytest.raises(SpecInvalid, match=name):
        check(document, "alpha")


def test_who_listens_fits_the_role():
    with pytest.raises(SpecInvalid, match="a destination listens"):
        check(spec("destination", listen=None), "alpha")


def test_another_version_is_refused_naming_both():
    with pytest.raises(VersionMismatch, match=r"'9\.9\.9'.*0\.1\.0"):
        check(spec(version="9.9.9"), "alpha")


@pytest.mark.parametrize("document", [None, [], "spec", 1])
def test_what_is_no_mapping_is_refused(document):
    with pytest.raises(SpecInvalid):
        check(document, "alpha")


def peer(host, role="destination"):
    return {"host": host, "role": role, "addresses": ["127.0.0.1"]}


def link(**changes):
    """Destination 1 of a chain of three."""
    peers = [peer("source", "source"), peer("first")]
    return spec(**{"fanout": "chain", "leaf": 1, "peers": peers, "successors": [peer("last")], **changes})


def test_a_destination_of_a_chain_has_others_before_and_after_it():
    check(link(), "alpha")


@pytest.mark.parametrize(
    "document, words",
    [
        (link(fanout="star"), "fanout must be"),
        (link(successors=[{"host": "last"}]), "successors must be"),
        (link(leaf=2), "peers of destination 2"),
        (link(peers=[peer("first"), peer("source", "source")]), "peers of destination 1"),
        (link(successors=[peer("first")]), "each host is in a chain once"),
        (link(successors=[peer("last", "source")]), "successors are destinations"),
        (spec("source", fanout="chain", peers=[peer("first")], successors=[peer("last")]), "no successors"),
        (spec("source", fanout="chain", peers=[peer("first", "source")]), "peers of the source"),
        (spec(successors=[peer("last")]), "only a chain"),
    ],
)
def test_what_is_no_chain_is_refused(document, words):
    with pytest.raises(SpecInvalid, match=words):
        check(document, "alpha")
