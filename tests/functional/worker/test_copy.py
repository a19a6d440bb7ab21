"""Whole transfers by two real workers, and every way in which one of them can end before its time."""

import filecmp
import os
import socket
import subprocess
import sys

import pytest

from datamover.disk.journal import Journal
from datamover.errors import Busy, OutOfTurn
from datamover.host import flock
from tests.functional.worker.minions import PATIENCE
from tests.support.waiting import eventually
from transferworker import launch


def equal(one, other):
    done = subprocess.run(
        ["rsync", "-naHAXSi", "--checksum", "--delete", f"{one}/", f"{other}/"],
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout == ""


def is_free(pair):
    """Whether nothing listens on the destination's port any more."""

    def binds():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((pair.destination.address, pair.answers["destination"]["port"]))
            probe.listen()

    pair.destination.network.do(binds)
    return True


def is_tidy(verdict):
    """Whether all was undone; that the other end, on a busy disk, did not hear in time how it ended leaves nothing."""
    return all("could not be told how it ended" in trouble for trouble in verdict["cleanup"])


def nothing_but_partial_data(pair):
    """Who undoes the run of the destination may be at it still."""

    def found():
        return [each["what"] for each in pair.destination.ask("sweep", True)["found"]]

    assert eventually(lambda: found() == ["partial data"]), found()


def nothing_open(pair, srv, left=()):
    assert sorted(os.listdir(srv)) == sorted(left)
    assert is_free(pair)
    for role in ("source", "destination"):
        assert eventually(lambda role=role: not pair.run(role).alive)
        assert pair.run(role).undo.pending() == []
        assert not (pair.run(role).path / "control").exists()
        assert eventually(lambda role=role: pair.minion(role).ask("sweep", True)["found"] == [])


def test_a_tree_arrives_whole_and_both_verdicts_prove_it(transfer, data, srv):
    pair = transfer().begin()
    source, destination = pair.verdicts()
    assert (source["result"], destination["result"]) == ("published", "published")
    assert source["root"] == destination["root"] and len(source["root"]) == 64
    for name in ("entries", "files", "directories", "links", "bytes", "algorithm", "block_size", "level"):
        assert source[name] == destination[name]
    assert destination["files"] == 3 and is_tidy(destination)
    assert equal(data, srv / "data")
    nothing_open(pair, srv, ["data"])


def test_a_single_file_arrives_under_its_final_name(transfer, big, srv):
    pair = transfer(src=big, dst=srv / "other name").begin()
    assert [verdict["result"] for verdict in pair.verdicts()] == ["published"] * 2
    assert filecmp.cmp(big, srv / "other name", shallow=False)
    nothing_open(pair, srv, ["other name"])


def test_one_that_is_asked_again_to_go_when_all_is_over_tells_so(transfer):
    """The answer to the first question may have been lost on its way."""
    pair = transfer().begin()
    pair.verdicts()
    assert eventually(lambda: not pair.run("source").alive)
    assert pair.source.ask("go", pair.transfer, "source") == {"phase": "published"}


def test_four_at_once_between_the_same_two_hosts(transfer, data, srv):
    pairs = [transfer(dst=srv / f"copy {number}").begin() for number in range(4)]
    for pair in pairs:
        source, destination = pair.verdicts()
        assert source["root"] == destination["root"] and is_tidy(destination)
        assert equal(data, pair.dst)
    for pair in pairs:
        nothing_open(pair, srv, [f"copy {number}" for number in range(4)])


def test_both_ends_may_be_one_host(transfer, alpha, data, srv):
    pair = transfer(source=alpha, destination=alpha).begin()
    assert [verdict["result"] for verdict in pair.verdicts()] == ["published"] * 2
    assert equal(data, srv / "data")
    nothing_open(pair, srv, ["data"])


@pytest.mark.parametrize("changes", [{"encrypt": False}, {"verify": "flight"}, {"streams": 4}], ids=str)
def test_the_settings_reach_the_engine(transfer, data, srv, changes):
    pair = transfer(**{f"settings__{name}": value for name, value in changes.items()}).begin()
    source, destination = pair.verdicts()
    assert source["root"] == destination["root"]
    assert destination["level"] == changes.get("verify", "readback")
    assert equal(data, srv / "data")


def test_the_digests_of_both_ends_are_left_for_standard_tools(transfer, data, srv, tmp_path):
    pair = transfer().begin()
    pair.verdicts()
    for role, place in (("source", data), ("destination", srv / "data")):
        sums = tmp_path / f"{role}.sums"
        Journal(pair.run(role).path / "entries.db").export_sums(sums)
        done = subprocess.run(["sha256sum", "--strict", "-c", sums], cwd=place, capture_output=True, check=True)
        assert done.stdout.count(b": OK") == 4


def test_what_was_proved_is_verified_again_any_time_later(transfer, data, srv):
    pair = transfer()
    pair.begin().verdicts()
    before = pair.destination.ask("verify", pair.transfer)
    assert before["verified"] and before["root"] == before["sealed_root"] == pair.verdict("source")["root"]
    assert (before["entries"], before["more"], before["troubles"]) == (pair.verdict("source")["entries"], 0, [])
    assert pair.source.ask("verify", pair.transfer)["verified"]
    (srv / "data" / "new").write_bytes(b"")
    after = pair.destination.ask("verify", pair.transfer, 1)
    assert (after["verified"], after["root"], after["counts"]["extra"]) == (False, None, 1)
    assert len(after["troubles"]) + after["more"] == sum(after["counts"].values())


def test_an_update_of_nothing_is_verified_as_the_copy_that_it_was(transfer, srv):
    pair = transfer(settings__update=True)
    pair.begin().verdicts()
    assert pair.destination.ask("verify", pair.transfer)["verified"]
    (srv / "data" / "new").write_bytes(b"")
    assert pair.destination.ask("verify", pair.transfer)["counts"]["extra"] == 1


def test_what_was_never_published_cannot_be_verified(transfer):
    pair = transfer().prepare()
    with pytest.raises(Busy, match="still at work"):
        pair.destination.ask("verify", pair.transfer)
    pair.destination.ask("cancel", pair.transfer)
    with pytest.raises(OutOfTurn, match="nothing of it was published"):
        pair.destination.ask("verify", pair.transfer)


def test_the_record_keeps_what_tells_of_it_and_nothing_else(transfer):
    pair = transfer().begin()
    pair.verdicts()
    kept = {
        "format",
        "place.json",
        "spec.json",
        "attempts",
        "lock",
        "preparing",
        "state.json",
        "events.jsonl",
        "log",
        "verdict.json",
        "entries.db",
        "undo.log",
    }
    assert set(os.listdir(pair.run("source").path)) == kept
    assert set(os.listdir(pair.run("destination").path)) == kept | {"intent.json"}


def test_phases_and_events_tell_the_story_in_order(transfer):
    pair = transfer().begin()
    pair.verdicts()
    status = pair.destination.ask("status", pair.transfer)
    phases = sorted(status["phases"], key=status["phases"].get)
    assert phases == ["prepared", "armed", "proved", "moving", "verifying", "sealed", "publishing", "published"]
    assert status["progress"]["bytes_done"] == status["progress"]["bytes_total"] == status["verdict"]["bytes"]
    assert [event["seq"] for event in status["events"]] == list(range(1, len(status["events"]) + 1))
    assert status["events"][-1]["what"] == "verdict"


def test_what_is_there_is_not_overwritten_unless_asked(transfer, data, srv):
    (srv / "data").write_text("precious")
    pair = transfer().begin()
    destination = pair.verdict("destination")
    assert (destination["result"], destination["error"]["name"]) == ("failed", "destination-exists")
    assert pair.verdict("source")["result"] == "failed"
    assert (srv / "data").read_text() == "precious"
    nothing_open(pair, srv, ["data"])


def test_what_is_there_is_exchanged_when_asked_and_then_removed(transfer, data, srv):
    (srv / "data").mkdir()
    (srv / "data/old").write_text("old")
    pair = transfer(settings__overwrite=True).begin()
    assert [verdict["result"] for verdict in pair.verdicts()] == ["published"] * 2
    assert equal(data, srv / "data")
    nothing_open(pair, srv, ["data"])


def test_attaching_to_a_finished_transfer_tells_that_it_is_published(transfer):
    pair = transfer().begin()
    pair.verdicts()
    answer = pair.destination.prepare(pair.spec("destination"))
    assert answer["attached"] and answer["phase"] == "published"


def test_the_worker_needs_nothing_of_where_its_code_came_from(transfer, data, srv, tmp_path):
    """What a sync or clear_cache does to the minion's modules while the worker runs."""
    pair = transfer().prepare()
    for role in ("source", "destination"):
        opened = {opened.path for opened in pair.worker(role).open_files()}
        mapped = {mapped.path for mapped in pair.worker(role).memory_maps()}
        checkout = os.path.dirname(os.path.dirname(sys.modules["datamover"].__file__))
        assert not [path for path in opened | mapped if path.startswith(checkout)]
        for file in pair.run(role).code.rglob("*.py"):
            file.unlink()
    pair.arm().go()
    assert [verdict["result"] for verdict in pair.verdicts()] == ["published"] * 2


# Ends before the time.


def test_kill_minus_9_of_the_destination_leaves_nothing_and_the_source_says_so(halted, srv):
    pair = halted()
    pair.kill("destination")
    destination = pair.verdict("destination")
    assert (destination["result"], destination["error"]["name"]) == ("failed", "worker-died")
    pair.worker("source").resume()
    source = pair.verdict("source")
    assert (source["result"], source["error"]["name"]) == ("failed", "connection-lost")
    nothing_open(pair, srv)


def test_kill_minus_9_of_the_source_ends_the_destination_at_once(halted, srv):
    pair = halted()
    pair.kill("source")
    source, destination = pair.verdicts()
    assert source["error"]["name"] == "worker-died"
    assert (destination["result"], destination["error"]["name"]) == ("failed", "connection-lost")
    nothing_open(pair, srv)


def test_kill_minus_9_of_both_and_of_their_guardians_is_undone_by_who_asks(halted, srv):
    pair = halted()
    for role in ("source", "destination"):
        worker = pair.worker(role)
        worker.parent().kill()
        worker.kill()
        assert flock.wait_free(pair.run(role).lock, PATIENCE)
    assert [verdict["error"]["name"] for verdict in pair.verdicts()] == ["worker-died"] * 2
    nothing_open(pair, srv)


@pytest.mark.parametrize("role", ["source", "destination"])
def test_a_cancel_in_the_middle_ends_both_and_leaves_nothing(halted, srv, role):
    pair = halted()
    pair.worker("source").resume()
    assert pair.minion(role).ask("cancel", pair.transfer, role)["phase"] == "cancelled"
    verdicts = dict(zip(("source", "destination"), pair.verdicts(), strict=True))
    assert verdicts[role]["error"]["name"] == "cancelled"
    assert all(verdict["result"] != "published" for verdict in verdicts.values())
    nothing_open(pair, srv)


def test_a_cancel_after_the_end_changes_nothing(transfer, data, srv):
    pair = transfer().begin()
    pair.verdicts()
    assert pair.destination.ask("cancel", pair.transfer)["phase"] == "published"
    assert equal(data, srv / "data")


def test_kept_partial_data_is_listed_and_removed_only_when_asked(halted, srv):
    pair = halted(settings__keep_partial=60)
    pair.kill("destination")
    assert pair.verdict("destination")["error"]["name"] == "worker-died"
    assert os.listdir(srv) == [f".salt-transfer-{pair.transfer}"]
    pair.worker("source").resume()
    pair.verdict("source")
    nothing_but_partial_data(pair)
    assert pair.destination.ask("sweep")["removed"] == []
    assert os.listdir(srv) == [f".salt-transfer-{pair.transfer}"]
    assert len(pair.destination.ask("sweep", False, True)["removed"]) == 1
    nothing_open(pair, srv)


def test_undo_is_harmless_however_often_and_keeps_what_is_published(transfer, data, srv):
    pair = transfer().begin()
    pair.verdicts()
    run = pair.run("destination")
    before = run.verdict
    launch.copy_code(run)
    for _ in range(2):
        subprocess.run(launch.command(run, "undo"), check=True)
    assert run.verdict == before
    assert equal(data, srv / "data")


def test_a_destination_takes_no_special_entries_but_those_it_was_told_of(transfer, data, srv):
    os.chmod(data / "file", 0o4755)
    pair = transfer().prepare("destination")
    pair.answers["source"] = pair.source.prepare(pair.spec("source", settings__special=["setuid"]))
    source, destination = pair.arm().go().verdicts()
    assert destination["error"]["name"] == "special-refused"
    assert "setuid: 1 (file)" in destination["error"]["text"]
    assert source["result"] == "failed"
    nothing_open(pair, srv)
