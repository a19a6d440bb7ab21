"""Logs outside of the data directory, moved aside and brought back from wherever that was left."""

import itertools
import os
import pwd
import shutil
import subprocess
from dataclasses import asdict
from types import SimpleNamespace

import psutil
import pytest

from datamover.host.undo import UndoLog
from replicahost import logfiles, undoing
from replicaplan.errors import ServiceFailed
from tests.support.waiting import eventually

OLD = ("bin.000001", "bin.000002", "bin.index", "bin.state")
OWN_USER = pwd.getpwuid(os.getuid())


class Cut(Exception):
    """The power."""


@pytest.fixture
def place(tmp_path):
    """The directory of the logs, in which the server also keeps its error log."""
    place = tmp_path / "log"
    place.mkdir()
    for name in OLD:
        (place / name).write_text(f"old {name}")
    (place / "bin.log").write_text("[ERROR]")
    (tmp_path / "data").mkdir()
    return place


@pytest.fixture
def found(place, tmp_path):
    """A server that is down."""
    unit = SimpleNamespace(name="m.service", pid=0)
    options = {"log_bin": f"{place}/bin"}
    return SimpleNamespace(datadir=str(tmp_path / "data"), options=options, owner=OWN_USER, unit=unit, running=False)


@pytest.fixture
def hold(tmp_path):
    noted = {}
    return SimpleNamespace(undo=UndoLog(tmp_path / "undo.log"), noted=noted, note=noted.update)


def texts(place):
    return {each.name: each.read_text() for each in place.iterdir() if each.is_file()}


def look(found):
    (told,) = logfiles.look(found)
    return told


def test_a_log_outside_of_the_data_is_told(found, place):
    told = look(found)
    assert (told["kind"], told["base"], told["files"]) == ("binary log", f"{place}/bin", len(OLD))
    assert (told["directory_exists"], told["writable"], told["strange"], told["open_by"]) == (True, True, [], [])


def test_the_channels_of_a_relay_log_are_those_of_the_data_directory(found, place, tmp_path):
    (tmp_path / "data/master-one.info").touch()
    found.options["relay_log"] = f"{place}/relay"
    assert [log.channels for log in logfiles.of(found)] == [(), ("one",)]


def test_what_is_strange_is_named(found, place):
    (place / "bin.000003").symlink_to("/etc/passwd")
    (place / "bin.000004").mkdir()
    assert look(found)["strange"] == ["bin.000003", "bin.000004"]
    found.owner = SimpleNamespace(pw_uid=OWN_USER.pw_uid + 1, pw_gid=0, pw_name="daemon")
    assert len(look(found)["strange"]) == 6


def test_a_directory_that_is_reached_by_a_link_or_is_not_there_is_told(found, place, tmp_path):
    (tmp_path / "link").symlink_to(place)
    found.options["log_bin"] = f"{tmp_path}/link/bin"
    assert look(found)["directory_is"] == str(place)
    found.options["log_bin"] = f"{tmp_path}/gone/bin"
    told = look(found)
    assert (told["directory_exists"], told["writable"], told["files"]) == (False, False, 0)


def test_whether_the_servers_user_may_write_is_asked_of_the_directory_while_the_server_is_down(found, place):
    other = SimpleNamespace(pw_uid=OWN_USER.pw_uid + 1, pw_gid=OWN_USER.pw_gid + 1, pw_name="nobody-there")
    for mode, may in ((0o755, False), (0o757, True), (0o770, False)):
        place.chmod(mode)
        found.owner = other
        assert look(found)["writable"] == may
    found.running = True
    assert look(found)["writable"]


def test_who_has_a_file_open_is_told_unless_it_is_the_server_itself(found, place):
    with open(place / "bin.index"):
        assert look(found)["open_by"] == [os.getpid()]
        found.unit.pid = os.getpid()
        assert look(found)["open_by"] == []


def test_logs_are_moved_aside_and_come_back_and_what_was_logged_meanwhile_goes(found, place, hold):
    before = texts(place)
    logfiles.move_aside(hold, found, ".before-1", "db2")
    kept = place / "bin.before-1"
    assert hold.noted == {"kept_logs": [str(kept)]}
    assert (texts(place), sorted(texts(kept))) == ({"bin.log": "[ERROR]"}, sorted(OLD))
    assert kept.stat().st_mode & 0o777 == 0o700
    for name in ("bin.000001", "bin.index", "bin.000009"):
        (place / name).write_text("new")
    for _ in range(2):
        assert undoing.newest_first(hold.undo) == ([], "")
        assert (texts(place), kept.exists()) == (before, False)


def test_where_nothing_was_logged_before_nothing_stays(found, place, hold):
    for name in OLD:
        (place / name).unlink()
    logfiles.move_aside(hold, found, ".before-1", "db2")
    (place / "bin.000001").write_text("new")
    assert undoing.newest_first(hold.undo) == ([], "")
    assert (texts(place), list(place.glob("*before*"))) == ({"bin.log": "[ERROR]"}, [])


def test_what_the_old_server_has_logged_and_purged_since_is_left_alone(found, place, hold):
    """To note what was undone takes room; what could not be noted is undone twice."""
    logfiles.move_aside(hold, found, ".before-1", "db2")
    (place / "bin.000003").write_text("new")
    changes = hold.undo.pending()
    assert undoing.newest_first(hold.undo) == ([], "")
    (place / "bin.000003").write_text("of the old server")
    (place / "bin.000001").unlink()
    since = texts(place)
    for change in changes:
        undoing.HANDLERS[change.what](**change.details)
    assert texts(place) == since


def test_what_somebody_put_to_the_old_logs_is_kept_under_another_name(found, place, hold):
    logfiles.move_aside(hold, found, ".before-1", "db2")
    (place / "bin.before-1/note").write_text("mine")
    (told,), trouble = undoing.newest_first(hold.undo)
    assert (f"is in {place}/bin.before-1-rest" in told, trouble) == (True, "")
    assert texts(place / "bin.before-1-rest") == {"note": "mine"}
    assert sorted(texts(place)) == sorted([*OLD, "bin.log"])


def cut_after(monkeypatch, count):
    """The power fails when so many of all renames were made."""
    rename, numbers = logfiles.kernel.rename, itertools.count()

    def until_then(*words):
        if next(numbers) == count:
            raise Cut
        rename(*words)

    monkeypatch.setattr(logfiles.kernel, "rename", until_then)


@pytest.mark.parametrize("going", range(len(OLD)))
def test_a_power_cut_between_any_two_renames_is_taken_back(found, place, hold, monkeypatch, going):
    before = texts(place)
    with monkeypatch.context() as power:
        cut_after(power, going)
        with pytest.raises(Cut):
            logfiles.move_aside(hold, found, ".before-1", "db2")
    assert undoing.newest_first(hold.undo) == ([], "")
    assert (texts(place), list(place.glob("*before*"))) == (before, [])


@pytest.mark.parametrize("coming", range(len(OLD)))
def test_a_power_cut_between_any_two_renames_back_is_gone_on_with(found, place, hold, monkeypatch, coming):
    before = texts(place)
    logfiles.move_aside(hold, found, ".before-1", "db2")
    (place / "bin.000001").write_text("new")
    with monkeypatch.context() as power:
        cut_after(power, coming)
        assert "Cut" in undoing.newest_first(hold.undo)[1]
    assert undoing.newest_first(hold.undo) == ([], "")
    assert (texts(place), list(place.glob("*before*"))) == (before, [])


def test_a_power_cut_before_anything_was_moved_leaves_all_as_it_was(found, place, hold):
    before = texts(place)
    (log,) = logfiles.of(found)
    old = logfiles._inodes(logfiles._files(log))
    hold.undo.register("logs", **asdict(log), kept=f"{place}/bin.before-1", old=old)
    hold.undo.register("new_logs", **asdict(log), kept=f"{place}/bin.before-1", old=old)
    assert undoing.newest_first(hold.undo) == ([], "")
    assert texts(place) == before


def test_an_old_file_that_somebody_moved_away_is_missed_in_words_and_the_rest_waits(found, place, hold, tmp_path):
    logfiles.move_aside(hold, found, ".before-1", "db2")
    shutil.move(place / "bin.before-1/bin.000002", tmp_path)
    _, trouble = undoing.newest_first(hold.undo)
    assert f"bin.000002 of the old binary log is neither in {place} nor in {place}/bin.before-1" in trouble
    assert texts(place) == {"bin.log": "[ERROR]"}
    shutil.move(tmp_path / "bin.000002", place / "bin.before-1")
    assert undoing.newest_first(hold.undo) == ([], "")
    assert sorted(texts(place)) == sorted([*OLD, "bin.log"])


def test_a_rename_back_replaces_nothing(found, place, hold):
    logfiles.move_aside(hold, found, ".before-1", "db2")
    (change, *_) = [each for each in hold.undo.pending() if each.what == "logs"]
    (place / "bin.000002").write_text("of somebody")
    with pytest.raises(FileExistsError):
        logfiles.put_back(**change.details)
    assert texts(place)["bin.000002"] == "of somebody"


def test_nothing_is_moved_under_somebody_who_has_it_open_after_the_stop(found, place, hold):
    before = texts(place)
    with open(place / "bin.000001"), pytest.raises(ServiceFailed, match="but its data was not touched: Files of"):
        logfiles.move_aside(hold, found, ".before-1", "db2")
    assert (texts(place), hold.undo.pending()) == (before, [])


def test_a_server_that_outlives_its_unit_keeps_the_log_it_writes(found, place, hold, tmp_path):
    logfiles.move_aside(hold, found, ".before-1", "db2")
    program = tmp_path / "mariadbd"
    shutil.copy(shutil.which("cat"), program)
    new = place / "bin.000001"
    with open(new, "w") as written, subprocess.Popen([program], stdin=subprocess.PIPE, stdout=written) as server:
        assert eventually(lambda: psutil.Process(server.pid).name() == "mariadbd")
        _, trouble = undoing.newest_first(hold.undo)
        assert f"a server still writes {place}/bin.*: process {server.pid}" in trouble and new.exists()
        server.communicate()
    assert undoing.newest_first(hold.undo) == ([], "")


def test_a_link_in_place_of_the_kept_directory_is_not_followed(found, place, hold, tmp_path):
    """Who owns the directory of the logs could have root move files to where it may not write."""
    logfiles.move_aside(hold, found, ".before-1", "db2")
    os.rename(place / "bin.before-1", tmp_path / "away")
    (place / "bin.before-1").symlink_to(tmp_path / "away")
    assert "Not a directory" in undoing.newest_first(hold.undo)[1]
    assert sorted(texts(tmp_path / "away")) == sorted(OLD)
