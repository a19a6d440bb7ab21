"""Updates by two real workers: what stands at the destination changes file by file, whoever dies meanwhile."""

import contextlib
import filecmp
import os

import pytest

from tests.functional.datamover.places import private_mounts, tmpfs
from tests.functional.worker.test_copy import equal, is_tidy, nothing_open
from tests.functional.worker.test_resume import BLOCK, KEEP, MIB, published, rests

MANY = 1500


@pytest.fixture
def updating(transfer):
    """transfer() that updates; a second call is a second update."""

    def begin(compare="time", delete=False, **changes):
        asked = {"settings__compare": compare, "settings__delete": delete}
        return transfer(settings__update=True, settings__in_place=True, **asked, **changes).begin()

    return begin


@pytest.fixture
def copied(transfer, data, srv):
    """The destination after a first copy."""
    assert [verdict["result"] for verdict in transfer().begin().verdicts()] == ["published"] * 2
    return srv / "data"


def test_a_second_run_on_equal_trees_moves_no_payload_and_says_so(updating, copied, srv):
    pair = updating()
    source, destination = pair.verdicts()
    assert (source["result"], destination["result"]) == ("published", "published")
    assert source["root"] == destination["root"] and source["moved_bytes"] == destination["moved_bytes"] == 0
    assert source["trusted"] == destination["trusted"] == 3
    assert [destination[name] for name in ("created", "changed", "deleted")] == [0, 0, 0]
    assert destination["unchanged"] == destination["entries"]
    nothing_open(pair, srv, ["data"])


def test_what_differs_is_brought_over_and_what_is_gone_is_removed(updating, copied, data, srv):
    (copied / "old").mkdir()
    (copied / "old" / "file").write_bytes(b"old")
    (data / "new").write_bytes(b"new")
    pair = updating(compare="digest", delete=True)
    _, destination = pair.verdicts()
    assert destination["result"] == "published" and is_tidy(destination)
    assert [destination[name] for name in ("created", "changed", "deleted", "trusted")] == [1, 1, 2, 0]
    assert equal(data, copied)
    nothing_open(pair, srv, ["data"])


@pytest.mark.slow
@pytest.mark.parametrize("delete", [False, True])
def test_an_update_is_verified_later_and_what_it_left_alone_is_no_difference(updating, copied, srv, delete):
    (copied / "more").write_bytes(b"more")
    pair = updating(compare="digest", delete=delete)
    pair.verdicts()
    found = pair.destination.ask("verify", pair.transfer)
    assert (found["verified"], found["root"], found["more"]) == (True, found["sealed_root"], 0)
    (copied / "later").write_bytes(b"later")
    assert pair.destination.ask("verify", pair.transfer)["counts"]["extra"] == delete


@pytest.mark.slow
def test_what_was_trusted_is_measured_when_it_is_verified(updating, copied):
    pair = updating()
    pair.verdicts()
    found = pair.destination.ask("verify", pair.transfer)
    assert (found["verified"], found["root"], found["trusted"]) == (True, None, 3)


def test_what_the_patterns_leave_out_is_not_removed(updating, copied, data, srv):
    for place in (data, copied):
        (place / "cache").mkdir()
        (place / "cache" / place.name).write_bytes(b"x")
    (copied / "mine.local").write_bytes(b"mine")
    (copied / "gone").write_bytes(b"gone")
    _, destination = updating(delete=True, settings__exclude=["cache/", "*.local"]).verdicts()
    assert destination["deleted"] == 1
    assert (copied / "mine.local").exists() and (copied / "cache" / "data").exists() and not (copied / "gone").exists()


def test_too_many_deletions_change_nothing(updating, copied, data, srv):
    for number in range(40):
        (copied / f"more {number}").write_bytes(b"x")
    before = sorted(os.listdir(copied))
    pair = updating(delete=True)
    source, destination = pair.verdicts()
    assert destination["error"]["name"] == "deletion-refused" and source["result"] == "failed"
    assert sorted(os.listdir(copied)) == before
    nothing_open(pair, srv, ["data"])


@private_mounts
def mounted_case(updating, data, copied):
    (copied / "archive").mkdir()
    (copied / "archive" / "precious").write_bytes(b"precious")
    tmpfs(data / "archive", "size=1m")
    refused, left_out = updating(delete=True), {"settings__exclude": ["/archive"]}
    assert refused.verdict("source")["error"]["name"] == "deletion-refused"
    assert (copied / "archive" / "precious").exists()
    assert updating(delete=True, **left_out).verdict("destination")["result"] == "published"
    assert (copied / "archive" / "precious").exists()


def test_what_is_mounted_at_the_source_has_to_be_left_out_before_anything_is_deleted(updating, copied, data):
    mounted_case(updating, data, copied)


@pytest.fixture
def many(tmp_path, srv):
    """Two trees that differ in each of many files."""
    for place, content in ((tmp_path / "many", b"new"), (srv / "many", b"old")):
        place.mkdir()
        for number in range(MANY):
            (place / str(number)).write_bytes(content)
    for number in range(MANY):
        os.utime(srv / "many" / str(number), (1, 1))
    return tmp_path / "many"


def test_kill_minus_9_while_files_are_put_in_place_is_finished_or_never_began(updating, many, srv):
    pair = updating(src=many, dst=srv / "many")
    pair.follow_until("destination", "publishing")
    with contextlib.suppress(ProcessLookupError):  # it has ended
        pair.kill("destination")
    assert contents(srv / "many") <= {b"old", b"new"}
    _, destination = pair.verdicts()
    assert contents(srv / "many") == ({b"new"} if destination["result"] == "published" else {b"old"})
    nothing_open(pair, srv, ["many"])


def contents(directory):
    return {path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("role", ["source", "destination"])
def test_what_had_arrived_of_an_update_is_kept_and_gone_on_with(halted, network, big, srv, role):
    (srv / "data").write_bytes(b"old")
    asked = {"settings__update": True, "settings__in_place": True, "settings__compare": "time"}
    pair = halted(arrived=8 * MIB, **asked, **KEEP)
    pair.kill(role)
    if role == "destination":
        pair.worker("source").resume()
    assert pair.verdict("destination")["result"] == pair.verdict("source")["result"] == "failed"
    assert (srv / "data").read_bytes() == b"old"
    rests(pair, srv, "data")
    network.unlimit()
    source, _ = published(pair.again())
    assert source["held_bytes"] >= 8 * MIB - BLOCK
    assert source["moved_bytes"] == os.path.getsize(big) - source["held_bytes"]
    assert filecmp.cmp(big, srv / "data", shallow=False)
    nothing_open(pair, srv, ["data"])


@pytest.mark.parametrize("stood", [True, False])
def test_what_stands_at_the_destination_may_come_or_go_between_two_attempts(halted, network, big, srv, stood):
    """Then what had arrived is of no use: a copy is staged otherwise than an update."""
    if stood:
        (srv / "data").write_bytes(b"old")
    asked = {"settings__update": True, "settings__in_place": stood, "settings__compare": "time"}
    pair = halted(arrived=MIB, **asked, **KEEP)
    pair.kill("destination")
    pair.worker("source").resume()
    pair.verdicts()
    if stood:
        (srv / "data").unlink()
    else:
        (srv / "data").write_bytes(b"it came")
    network.unlimit()
    published(pair.again(settings__in_place=not stood))
    assert filecmp.cmp(big, srv / "data", shallow=False)
    nothing_open(pair, srv, ["data"])


def test_a_further_attempt_compares_anew_and_completes_it(updating, copied, data, srv, network):
    (data / "more").write_bytes(os.urandom(8 << 20))
    network.limit("4mbit")
    pair = updating()
    pair.follow_until("destination", "moving")
    pair.kill("destination")
    assert pair.verdict("destination")["result"] == pair.verdict("source")["result"] == "failed"
    assert not (copied / "more").exists()
    nothing_open(pair, srv, ["data"])
    network.unlimit()
    pair.again()
    assert [verdict["result"] for verdict in pair.verdicts()] == ["published"] * 2
    assert equal(data, copied)
    nothing_open(pair, srv, ["data"])
