"""Staging that no record knows: what is told of it, and what of it a sweep removes when it is asked to."""

import json
import os

import pytest

from datamover.disk.safepath import encode_path
from datamover.host.rundir import RunDirs
from tests.unit.transferworker.samples import TRANSFER, spec
from transferworker import residues, strays
from transferworker.desk import Desk
from transferworker.limits import Limits

OTHER = "e" * 32
OURS = {"transfer": OTHER, "host": "alpha", "run": "/nowhere/runs/x"}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setattr(residues, "BACKENDS", {})
    return Desk(tmp_path / "state", "alpha", Limits(10**9))


@pytest.fixture
def srv(tmp_path):
    (tmp_path / "srv").mkdir()
    return tmp_path / "srv"


@pytest.fixture
def stray(srv):
    """stray(**about) -> a staging directory that tells this of itself."""

    def make(transfer=OTHER, **about):
        place = srv / f".salt-transfer-{transfer}"
        (place / "data").mkdir(parents=True)
        (place / "data/file").write_bytes(b"x" * 5000)
        (place / "about.json").write_text(json.dumps({**OURS, "transfer": transfer, **about}))
        return place

    return make


def swept(desk, srv, **options):
    told = desk.sweep(places=[encode_path(os.fsencode(srv))], **options)
    assert told["trouble"] == []
    return told


def test_without_the_option_it_is_neither_listed_nor_removed(desk, srv, stray):
    place = stray()
    assert swept(desk, srv) == {"found": [], "removed": [], "trouble": []}
    assert place.exists()


def test_it_is_listed_first_and_removed_when_asked(desk, srv, stray):
    place = stray()
    (found,) = swept(desk, srv, unknown=True, test=True)["found"]
    assert (found["what"], found["transfer"]) == ("staging without a record", OTHER)
    assert found["bytes"] >= 5000 and "transfer.sweep unknown=True" in found["advice"] and place.exists()
    assert swept(desk, srv, unknown=True)["removed"] == [found]
    assert list(srv.iterdir()) == []


def test_beside_a_destination_on_record_it_is_found_without_saying_where(desk, srv, stray, tmp_path):
    run = RunDirs(tmp_path / "state").establish(spec(path=str(srv / "data")))
    run.write("verdict", {"result": "cancelled", "error": None, "cleanup": []})
    stray()
    assert len(desk.sweep(unknown=True)["removed"]) == 1


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"host": "gamma"}, "'gamma' made it"),
        ({"run": os.path.dirname(__file__)}, "its record is /"),
        ({"host": None}, "None made it"),
        ({"transfer": TRANSFER}, "was not made by this transfer"),
    ],
    ids=["another host", "another state_dir", "nobody", "another transfer"],
)
def test_what_is_not_this_hosts_is_told_and_left(desk, srv, stray, about, why):
    place = stray()
    (place / "about.json").write_text(json.dumps({**OURS, **about}))
    told = swept(desk, srv, unknown=True)
    assert [each["advice"].startswith("not this host's to remove: ") for each in told["found"]] == [True]
    assert why in told["found"][0]["advice"] and told["removed"] == []
    assert (place / "data/file").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"transfer": "' + OTHER + '"}', "\0"])
def test_one_that_does_not_tell_who_made_it_is_left(desk, srv, stray, content):
    place = stray()
    (place / "about.json").write_text(content)
    told = swept(desk, srv, unknown=True)
    assert len(told["found"]) == 1 and told["removed"] == [] and (place / "data/file").exists()


def test_one_that_was_only_just_made_is_removed(desk, srv):
    (srv / f".salt-transfer-{OTHER}").mkdir()
    assert len(swept(desk, srv, unknown=True)["removed"]) == 1
    assert list(srv.iterdir()) == []


def test_a_link_under_that_name_is_left(desk, srv, tmp_path):
    (tmp_path / "precious").mkdir()
    (srv / f".salt-transfer-{OTHER}").symlink_to(tmp_path / "precious")
    told = swept(desk, srv, unknown=True)
    assert told["removed"] == [] and (tmp_path / "precious").exists()


def test_one_that_gets_a_record_meanwhile_is_left(desk, srv, stray, tmp_path):
    stray()
    found, _ = residues.look_in({"here": lambda: strays_of(desk, srv)}, [])
    RunDirs(tmp_path / "state").establish(spec(transfer=OTHER, path=str(srv / "data")))
    assert [each.removed() for each in found] == [False]


def strays_of(desk, srv):
    return strays.find(desk._runs, "alpha", [os.fsencode(srv)])
