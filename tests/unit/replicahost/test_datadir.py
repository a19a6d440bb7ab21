"""The exchange of a data directory, and its undoing from wherever it was left."""

import contextlib
import os
import pwd
import shutil
import subprocess

import psutil
import pytest

from replicahost import datadir
from replicaplan.errors import ReplicaRefused, RollbackIncomplete
from tests.support.waiting import eventually


@pytest.fixture
def places(tmp_path):
    for name in ("data", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    return [str(tmp_path / name) for name in ("data", "new", "kept")]


def identities(places):
    return datadir.identity(places[0]), datadir.identity(places[1])


def content(path):
    return os.listdir(path)


def test_the_two_change_places_and_change_back(places):
    data, new, kept = places
    old_id, new_id = identities(places)
    datadir.exchange(data, new, kept)
    assert (content(data), content(kept), os.path.exists(new)) == (["new"], ["data"], False)
    for _ in range(2):
        datadir.put_back(data, new, kept, old_id, new_id)
        assert (content(data), content(new), os.path.exists(kept)) == (["data"], ["new"], False)


def test_half_an_exchange_is_put_back(places):
    data, new, kept = places
    old_id, new_id = identities(places)
    datadir.rename(data, kept)
    datadir.put_back(data, new, kept, old_id, new_id)
    assert (content(data), content(new)) == (["data"], ["new"])


def test_data_that_was_lost_before_cannot_come_back_and_the_new_goes(places):
    data, new, kept = places
    os.unlink(f"{data}/data")
    os.rmdir(data)
    new_id = datadir.identity(new)
    datadir.exchange(data, new, kept)
    datadir.put_back(data, new, kept, None, new_id)
    assert (os.path.exists(data), content(new)) == (False, ["new"])


def test_a_rename_replaces_nothing(places):
    data, new, kept = places
    os.mkdir(kept)
    with pytest.raises(FileExistsError):
        datadir.exchange(data, new, kept)
    assert (content(data), content(new)) == (["data"], ["new"])


def test_old_data_that_somebody_moved_away_is_missed_in_words(places):
    data, new, kept = places
    old_id, new_id = identities(places)
    datadir.exchange(data, new, kept)
    os.rename(kept, kept + "-elsewhere")
    with pytest.raises(RollbackIncomplete, match="look for it in"):
        datadir.put_back(data, new, kept, old_id, new_id)


def test_a_name_that_somebody_took_meanwhile_keeps_no_old_data_away(places):
    data, new, kept = places
    old_id, new_id = identities(places)
    datadir.exchange(data, new, kept)
    os.mkdir(new)
    told = datadir.put_back(data, new, kept, old_id, new_id)
    (beside,) = [name for name in os.listdir(os.path.dirname(new)) if name.startswith("new-")]
    assert f"/{beside}, because {new} is taken" in told
    assert (content(data), content(new), content(f"{new[:-3]}{beside}")) == (["data"], [], ["new"])
    assert datadir.put_back(data, new, kept, old_id, new_id) is None


@pytest.fixture
def server(tmp_path):
    """Begin a process that looks like a database server which works in a directory."""
    program = tmp_path / "mariadbd"
    shutil.copy(shutil.which("cat"), program)
    with contextlib.ExitStack() as stack:

        def server(place):
            process = stack.enter_context(subprocess.Popen([program], stdin=subprocess.PIPE, cwd=place))
            stack.callback(process.communicate)
            assert eventually(lambda: psutil.Process(process.pid).name() == "mariadbd")
            return process

        yield server


def test_under_a_server_that_outlives_its_unit_nothing_is_renamed(places, server):
    data, new, kept = places
    old_id, new_id = identities(places)
    datadir.exchange(data, new, kept)
    alive = server(data)
    with pytest.raises(RollbackIncomplete, match=f"a server works on in {data}: process {alive.pid}\\."):
        datadir.put_back(data, new, kept, old_id, new_id)
    assert (content(data), content(kept)) == (["new"], ["data"])
    alive.communicate()
    datadir.put_back(data, new, kept, old_id, new_id)
    server(data)  # on its own data again: whoever asks twice has nothing to move
    datadir.put_back(data, new, kept, old_id, new_id)
    assert (content(data), content(new)) == (["data"], ["new"])


def test_data_in_which_something_is_mounted_is_not_removed(tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    (kept / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(kept)
    monkeypatch.setattr(
        datadir.mounts, "at_or_below", lambda place: [place + b"/deep"] if place == os.fsencode(kept) else []
    )
    for name in ("kept", "link"):
        with pytest.raises(ReplicaRefused, match=f"{kept}/deep is mounted in .*, and would be emptied with it"):
            datadir.remove(str(tmp_path / name))
    assert (kept / "deep").is_dir()


def test_data_is_not_removed_while_a_server_works_in_it(places, server):
    data, *_ = places
    alive = server(data)
    with pytest.raises(ReplicaRefused, match=f"A server works in {data}: process {alive.pid}"):
        datadir.remove(data)
    alive.communicate()
    datadir.remove(data)
    assert not os.path.exists(data)


def test_what_came_to_the_place_of_the_old_data_is_told_and_left_alone(places):
    data, new, kept = places
    old_id, new_id = identities(places)
    datadir.exchange(data, new, kept)
    os.rename(data, new)
    os.mkdir(data)
    with pytest.raises(RollbackIncomplete, match="is neither the old data nor the new: move it away"):
        datadir.put_back(data, new, kept, old_id, new_id)
    assert content(kept) == ["data"]


def test_the_number_of_a_device_may_be_another_after_a_boot(places, monkeypatch):
    data, new, kept = places
    old_id, new_id = identities(places)
    datadir.exchange(data, new, kept)
    stat, lstat = os.stat, os.lstat

    def renumbered(found):
        return os.stat_result((*found[:2], found.st_dev + 1, *found[3:10]))

    with monkeypatch.context() as boot:
        boot.setattr(os, "stat", lambda path, **how: renumbered(stat(path, **how)))
        boot.setattr(os, "lstat", lambda path, **how: renumbered(lstat(path, **how)))
        datadir.put_back(data, new, kept, old_id, new_id)
    assert (content(data), content(new)) == (["data"], ["new"])


def test_who_a_server_was_does_not_come_along(tmp_path):
    for name in ("auto.cnf", "master.info", "db1-relay-bin.000001", "relay-log.info", "ibdata1", "grastate.dat"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("/etc/passwd")
    before = os.stat("/etc/passwd").st_ctime_ns
    datadir.fit_for(str(tmp_path), pwd.getpwuid(os.getuid()))
    assert sorted(os.listdir(tmp_path)) == ["ibdata1", "link"]
    assert os.stat(tmp_path).st_mode & 0o777 == 0o700
    assert os.stat("/etc/passwd").st_ctime_ns == before


def test_a_data_directory_that_is_not_there_lets_nobody_else_in(tmp_path):
    assert datadir.mode_of(tmp_path / "gone") == 0o700


@pytest.mark.parametrize("rules", [True, False])
def test_labels_are_set_only_where_selinux_rules(tmp_path, monkeypatch, rules):
    asked = []
    monkeypatch.setattr(datadir, "SELINUX", str(tmp_path if rules else tmp_path / "no"))
    monkeypatch.setattr(datadir.process, "run", lambda command, _patience: asked.append(command.argv))
    datadir.relabel("/srv/mysql")
    assert asked == [("restorecon", "-R", "--", "/srv/mysql")] * rules
