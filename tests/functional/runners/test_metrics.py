"""`transfer.metrics`: what Prometheus reads is what minions told."""

import os

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from tests.support.fleet import FakeFleet
from transfermaster import exposing
from transferplan.version import VERSION

SOURCE, DESTINATION = ({"host": host, "role": role} for host, role in (("alpha", "source"), ("beta", "destination")))


def run_of(letter, role, phase="published", **more):
    """One end of a transfer as a minion lists it."""
    peers = [DESTINATION if role == "source" else SOURCE]
    end = {"transfer": letter * 32, "role": role, "path": "/srv/data", "peers": peers, "phase": phase, "attempt": 1}
    counts = {"bytes_done": 50, "bytes_total": 100, "age": 3600, "rests": False, "alive": False, "wall": letter}
    return {**end, **counts, **more}


@pytest.fixture
def samples(run):
    """samples(...) -> {(name, labels...): value} of what the runner tells."""

    def samples(**options):
        text = run("metrics", **options)["text"]
        found = [each for family in parsed(text) for each in family.samples]
        return {(each.name, *sorted(each.labels.values())): each.value for each in found}

    return samples


def test_what_runs_rests_and_succeeded_is_told(minions, samples):
    ended = [run_of("a", "destination", age=7200), run_of("b", "destination", "failed", rests=True, age=60)]
    running = {"phase": "moving", "alive": True}
    sent = [run_of("b", "source", "failed"), run_of("c", "source", **running)]
    minions["beta"].says["list"] = {"runs": [*ended, run_of("c", "destination", path="/srv/c", **running)], "more": 0}
    minions["alpha"].says["list"] = {"runs": sent, "more": 0}
    told = samples(minions="alpha,beta")
    assert told["salt_transfer_info", VERSION] == 1
    assert {state: told["salt_transfer_transfers", state] for state in ("running", "resumable", "finished")} == {
        "running": 1,
        "resumable": 1,
        "finished": 1,
    }
    assert told["salt_transfer_running_bytes_done", "beta", "c" * 32, "destination"] == 50
    assert told["salt_transfer_resting_bytes", "beta"] == 50
    assert told["salt_transfer_last_result_ok", "/srv/data", "alpha", "beta"] == 0
    assert told["salt_transfer_last_success_bytes", "/srv/data", "alpha", "beta"] == 100
    assert ("salt_transfer_last_result_ok", "/srv/c", "alpha", "beta") not in told


def test_the_time_of_a_success_is_since_1970(minions, samples, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    minions["beta"].says["list"] = {"runs": [run_of("a", "destination")], "more": 0}
    minions["alpha"].says["list"] = {"runs": [], "more": 0}
    told = samples(minions="alpha,beta")
    assert told["salt_transfer_last_success_timestamp_seconds", "/srv/data", "alpha", "beta"] == 1_000_000 - 3600


def test_the_time_of_a_success_stays_the_same_however_often_it_is_asked_for(minions, samples, monkeypatch):
    minions["beta"].says["list"] = {"runs": [run_of("a", "destination", ended_at=996_400)], "more": 0}
    minions["alpha"].says["list"] = {"runs": [], "more": 0}
    success = "salt_transfer_last_success_timestamp_seconds", "/srv/data", "alpha", "beta"
    for now in (1_000_000.0, 1_000_000.6, 1_000_003.0):
        monkeypatch.setattr("time.time", lambda now=now: now)
        assert samples(minions="alpha,beta")[success] == 996_400


def test_every_place_is_told_however_many_newer_records_there_are(minions, samples):
    places = [run_of("a", "destination", transfer=f"{number:032x}", path=f"/srv/{number}") for number in range(3)]
    kept = [*({**each, "last": True} for each in places), run_of("b", "destination"), run_of("c", "destination")]
    minions["beta"].says["list"] = lambda after=0, **_: {"runs": kept[after : after + 1], "more": 4 - after}
    minions["alpha"].says["list"] = {"runs": [], "more": 0}
    told = samples(minions="alpha,beta")
    assert [told["salt_transfer_last_result_ok", f"/srv/{number}", "alpha", "beta"] for number in range(3)] == [1] * 3
    assert minions["beta"].asked() == ["list"] * 4  # until an older one of a place is told


def test_a_silent_minion_is_told_and_no_failure(minions, samples):
    minions["alpha"].says["list"] = FakeFleet.SILENT
    told = samples(minions="alpha,beta")
    assert (told["salt_transfer_minion_answers", "alpha"], told["salt_transfer_minion_answers", "beta"]) == (0, 1)


def test_a_file_is_written_whole_and_readable_for_the_exporter(run, tmp_path):
    file = tmp_path / "salt_transfer.prom"
    answer = run("metrics", minions="alpha,beta", file=str(file))
    assert file.read_text() == answer["text"]
    assert file.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.glob("*salt_transfer*")] == [file.name]


def test_a_link_under_the_name_that_was_used_meanwhile_is_not_followed(run, tmp_path):
    file, victim = tmp_path / "salt_transfer.prom", tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / f".salt_transfer.prom.{os.getpid()}").symlink_to(victim)
    run("metrics", minions="alpha,beta", file=str(file))
    assert victim.read_text() == "untouched"
    assert not file.is_symlink() and file.read_text().startswith("#")


@pytest.mark.parametrize("file", ["relative.prom", "/no/such/directory/x.prom", "/tmp/x.txt"])
def test_a_file_that_no_exporter_would_read_is_refused(run, file):
    assert run("metrics", minions="alpha,beta", file=file)["result"] == "refused"


def test_without_the_library_it_says_what_to_install(run, monkeypatch):
    monkeypatch.setattr(exposing, "prometheus_client", None)
    refused = run("metrics", minions="alpha,beta")
    assert "prometheus_client" in refused["reasons"][0]["text"]
