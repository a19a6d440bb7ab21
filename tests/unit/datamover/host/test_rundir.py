"""Run directories: made once, found again, never confused."""
import os
import stat
import subprocess
import sys
import threading

import pytest

from datamover.errors import DiskError, OutOfTurn, SpecMismatch, UnknownTransfer
from datamover.host import flock
from datamover.host.rundir import RunDir, RunDirs

TRANSFER = "0123456789abcdef" * 2
SPEC = {"transfer": TRANSFER, "attempt": 1, "role": "source"}


@pytest.fixture
def runs(tmp_path):
    return RunDirs(tmp_path / "state")


def test_it_is_made_private_and_complete(runs):
    run = runs.establish(SPEC)
    assert run.path == runs.state_dir / "runs" / f"{TRANSFER}-source"
    assert run.spec == SPEC
    assert (run.path / "format").read_text() == "1\n"
    assert (run.path / "attempts" / "1").is_dir()
    for directory in (run.path, run.path.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_same_spec_finds_it_again(runs):
    first = runs.establish(SPEC)
    first.write("state", {"phase": "armed"})
    again = runs.establish(dict(reversed(SPEC.items())))
    assert again.path == first.path
    assert again.read("state") == {"phase": "armed"}


def test_another_spec_with_the_same_id_is_refused_and_changes_nothing(runs):
    run = runs.establish(SPEC)
    with pytest.raises(SpecMismatch, match=TRANSFER):
        runs.establish({**SPEC, "path": "/etc"})
    assert run.spec == SPEC


def test_of_many_at_once_exactly_one_makes_it(runs):
    inodes = []

    def establish():
        inodes.append(runs.establish(SPEC).path.stat().st_ino)

    threads = [threading.Thread(target=establish) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(inodes) == 16 and len(set(inodes)) == 1


def test_of_two_different_ones_at_once_exactly_one_is_accepted(runs):
    outcomes = []

    def establish(path):
        try:
            runs.establish({**SPEC, "path": path})
            outcomes.append("made")
        except SpecMismatch:
            outcomes.append("refused")

    threads = [threading.Thread(target=establish, args=(path,)) for path in ("/a", "/b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "refused"]


NO_IDS = ["", "..", "../../etc", "0" * 31, "0" * 33, "G" * 32, "0" * 32 + "\n", "0" * 31 + "/"]


@pytest.mark.parametrize("transfer", NO_IDS)
def test_what_is_no_transfer_id_never_becomes_a_path(runs, transfer):
    for use in (lambda: runs.open(transfer), lambda: runs.establish({**SPEC, "transfer": transfer})):
        with pytest.raises(UnknownTransfer, match="transfer id"):
            use()
    assert not runs.state_dir.exists()


def test_an_unknown_transfer_is_told(runs):
    with pytest.raises(UnknownTransfer, match=TRANSFER):
        runs.open(TRANSFER)


def test_one_host_can_be_both_ends(runs):
    runs.establish(SPEC)
    assert runs.open(TRANSFER).role == "source"
    runs.establish({**SPEC, "role": "destination"})
    assert runs.open(TRANSFER, "destination").role == "destination"
    with pytest.raises(OutOfTurn, match="role=source or role=destination"):
        runs.open(TRANSFER)


def test_a_role_that_is_none_is_refused(runs):
    with pytest.raises(UnknownTransfer):
        runs.open(TRANSFER, "../..")


def test_a_directory_that_a_crash_left_half_made_is_no_run_and_is_in_nobodys_way(runs):
    unborn = runs.state_dir / "runs" / ".unborn" / "attempts"
    unborn.mkdir(parents=True)
    assert runs.all() == []
    assert runs.debris() == [unborn.parent]
    runs.establish(SPEC)
    assert runs.debris() == []
    assert [found.transfer for found in runs.all()] == [TRANSFER]


def test_debris_can_be_removed(runs):
    unborn = runs.state_dir / "runs" / ".unborn" / "attempts"
    unborn.mkdir(parents=True)
    runs.remove_debris(unborn.parent)
    assert runs.debris() == []


def test_they_are_listed_newest_first(runs):
    for number in range(3):
        run = runs.establish({**SPEC, "transfer": f"{number:032x}"})
        os.utime(run.path / "spec.json", ns=(number, number))
    assert [int(run.transfer, 16) for run in runs.all()] == [2, 1, 0]


def test_it_is_alive_while_a_process_holds_its_lock(runs):
    run = runs.establish(SPEC)
    assert not run.alive
    script = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script, run.lock], stdin=-1, stdout=-1) as process:
        process.stdout.readline()
        assert run.alive
        process.kill()
    assert not run.alive


def test_documents_of_the_run_and_of_its_attempt(runs):
    run = runs.establish(SPEC)
    run.write("state", {"phase": "armed"})
    run.write(f"{run.attempt(1)}/answer", {"port": 4400})
    assert run.read("state") == {"phase": "armed"}
    assert run.read("attempts/1/answer") == {"port": 4400}
    assert run.verdict is None


def test_a_removed_run_is_gone(runs):
    run = runs.establish(SPEC)
    with flock.hold(run.lock):
        run.remove()
    assert runs.all() == [] and runs.debris() == []
    with pytest.raises(UnknownTransfer):
        runs.open(TRANSFER)


@pytest.mark.parametrize(("name", "content"), [("verdict.json", "{"), ("spec.json", ""), ("format", "2\n")])
def test_a_damaged_or_foreign_record_is_named_and_hides_no_other(runs, name, content):
    sound, damaged = runs.establish(SPEC), runs.establish({**SPEC, "transfer": "f" * 32})
    (damaged.path / name).write_text(content)
    assert [run.transfer for run in runs.all()] == [sound.transfer]
    (sentence,) = runs.unreadable()
    assert str(damaged.path) in sentence
    with pytest.raises(DiskError, match=str(damaged.path)):
        runs.open(damaged.transfer)
    assert [run.path for run in runs.of(damaged.transfer)] == [damaged.path]


def test_a_record_that_vanishes_meanwhile_is_no_trouble(runs, monkeypatch):
    runs.establish(SPEC)
    monkeypatch.setattr(RunDir, "check", lambda run: run.remove() or (run.path / "format").read_text())
    assert runs.all() == [] and runs.unreadable() == []
