"""The statements that make a replica, and the configuration that they need."""

import os
import pwd
from types import SimpleNamespace

import pytest

from hosttools.backups import Coordinates
from replicahost import claims, discovery, holds, installing, offered, records, settings, timer, undoing
from replicaplan.errors import DatabaseSilent, NothingToUndo, ReplicaRefused, RollbackIncomplete, ServiceFailed
from tests.unit.replicaplan.facts import channel, log, replica

from .test_backup import BEFORE, make

LOGIN = settings.Replication("repl", "it's a \\secret", True)


def test_with_a_gtid_the_file_is_left_out():
    text = installing.change_master("10.0.0.1", 3307, Coordinates("b.7", 42, "0-1-9"), LOGIN)
    assert "SET GLOBAL gtid_slave_pos='0-1-9'" in text
    assert "MASTER_USE_GTID=slave_pos" in text
    assert "LOG_FILE" not in text
    assert "MASTER_PORT=3307" in text and "MASTER_SSL=1" in text
    assert "MASTER_PASSWORD='it\\'s a \\\\secret'" in text


def test_without_a_gtid_the_file_counts_and_gtid_is_switched_off():
    text = installing.change_master("10.0.0.1", 3306, Coordinates("b.7", 42), LOGIN)
    assert "MASTER_LOG_FILE='b.7', MASTER_LOG_POS=42, MASTER_USE_GTID=no" in text
    assert "gtid_slave_pos" not in text


def test_settings_come_in_layers_and_strange_ones_are_named():
    read = settings.read({"unit": "m@1.service"}, {"unit": "other", "user": "dba", "replication": {"user": "repl"}})
    assert (read.units, read.user, read.replication.user) == (("m@1.service",), "dba", "repl")
    assert settings.read(None, None).units == settings.UNITS
    with pytest.raises(ReplicaRefused) as error:
        settings.read({"sock": 1, "replication": {"pass": 2}})
    assert len(error.value.evidence["reasons"]) == 2


def test_no_password_shows_when_settings_are_printed():
    assert "secret" not in repr(settings.Settings(password="a secret", replication=LOGIN))


@pytest.fixture
def against(tmp_path, monkeypatch):
    """Why a backup cannot be installed at a place, of a server of which all else is well."""
    monkeypatch.setattr(discovery, "look", lambda _found: replica())
    monkeypatch.setattr(records, "old_data", lambda _state_dir: [f"{tmp_path}/data.before-1"])

    def against(datadir, prepared, **wishes):
        wish = installing.Wish(str(prepared), "db2", 30, **wishes)
        return " ".join(installing.reasons(SimpleNamespace(datadir=str(datadir)), wish, "db2", tmp_path))

    return against


def test_logs_elsewhere_that_somebody_else_has_open_are_a_reason(against, tmp_path, monkeypatch):
    monkeypatch.setattr(discovery, "look", lambda _found: replica(user="mysql", logs=[log(open_by=[7])]))
    assert "are open in process 7" in against(tmp_path / "data", tmp_path / "new")


def link(place):
    (place / "data").mkdir()
    (place / "link").symlink_to("data")
    return place / "link", place / "new"


def elsewhere(place):
    return place / "data", "/proc/self"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (lambda place: ("/proc", place / "new"), "is a mount point and cannot be exchanged by a rename"),
        (link, "is a symbolic link: let datadir name where it leads"),
        (elsewhere, "lies on another file system"),
    ],
)
def test_a_place_that_no_rename_can_exchange_is_refused(against, tmp_path, where, words):
    assert words in against(*where(tmp_path))


@pytest.mark.parametrize(
    ("prepared", "data"),
    [
        ("data", "data"), ("data/", "data"), ("./data", "data"), ("link", "data"), ("data/new", "data"), (".", "data"),
        ("data.before-1", "data.before-1"), ("data.before-1/new", "data.before-1"),
    ],
)
def test_data_that_is_in_use_or_kept_is_no_backup_to_install(against, tmp_path, prepared, data):
    for name in ("data", "data.before-1"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("data")
    assert f"is, holds or lies in {tmp_path}/{data}, the " in against(tmp_path / "data", f"{tmp_path}/{prepared}")


def test_data_in_which_a_server_works_is_no_backup_to_install(against, tmp_path, monkeypatch):
    new = tmp_path / "new"
    monkeypatch.setattr(offered, "servers_in", lambda place: [7, 9] if place == str(new) else [])
    assert f"A server works in {new}: process 7 and 9." in against(tmp_path / "data", new)


def test_a_place_with_mounts_below_it_is_refused(against, tmp_path, monkeypatch):
    data, new = tmp_path / "data", tmp_path / "new"
    monkeypatch.setattr(installing.mounts, "at_or_below", lambda place: [os.path.join(place, b"tmp")])
    told = against(data, new)
    assert f"{data}/tmp is mounted below {data}" in told and f"{new}/tmp is mounted below {new}" in told


def test_a_backup_beside_the_data_has_its_place(against, tmp_path):
    """What is missing then is the backup alone."""
    assert against(tmp_path / "data", tmp_path / "new") == f"{tmp_path}/new is no directory."


def backed_up(place, kind):
    """A directory that looks like a backup of this kind."""
    (place / "shop").mkdir(parents=True)
    for name, text in (("info", "end_time = 2026\nserver_version = 10.11.6-MariaDB\n"),
                       ("checkpoints", f"backup_type = {kind}\n")):
        place.joinpath(f"xtrabackup_{name}").write_text(text)
    return place


def test_a_backup_that_is_not_prepared_is_refused_but_who_only_asks_can_take_it_for_one_that_is(against, tmp_path):
    new = backed_up(tmp_path / "new", "full-backuped")
    assert against(tmp_path / "data", new) == f"{new} is not prepared: xtrabackup.prepare does that."
    assert against(tmp_path / "data", new, unprepared=True) == ""


def test_a_backup_with_data_that_belongs_elsewhere_is_refused(against, tmp_path):
    """The new server would open, and write, the file of the old one."""
    new = backed_up(tmp_path / "new", "log-applied")
    (new / "shop/remote.isl").write_text("/fast/shop/remote.ibd")
    assert f"{new} holds shop/remote.isl, which leads to data outside of it" in against(tmp_path / "data", new)


def test_nothing_is_installed_while_replication_is_halted_for_a_comparison(tmp_path, monkeypatch):
    monkeypatch.setattr(timer, "begin", lambda place: None)
    monkeypatch.setattr(discovery, "look", lambda _found: replica())
    holds.begin(tmp_path, "pause", 30)
    found = SimpleNamespace(datadir=str(tmp_path / "data"))
    with pytest.raises(ReplicaRefused, match="halted here for a comparison: replica.go_on ends that"):
        installing.install(found, installing.Wish(str(tmp_path / "new"), "db2", 30), "db2", tmp_path)


@pytest.fixture
def stopping(monkeypatch):
    """Look whether a server of this pid, which answers or not, is gone after its unit was stopped."""

    def stopping(pid, answers):
        def do(_statement):
            if not answers:
                raise DatabaseSilent("nobody is there")

        unit = SimpleNamespace(name="m.service", pid=pid)
        installing._check_gone(SimpleNamespace(unit=unit, server=SimpleNamespace(do=do), socket="/run/s.sock"))

    return stopping


GONE = 2**22 + 1
"""No process has such a number."""


def test_a_server_that_is_gone_after_its_unit_was_stopped_can_be_replaced(stopping):
    stopping(0, answers=False)
    stopping(GONE, answers=False)


@pytest.mark.parametrize(
    ("pid", "answers", "words"),
    [(os.getpid(), False, "lives on"), (GONE, True, "answers at /run/s.sock"), (0, True, "answers at /run/s.sock")],
)
def test_a_server_that_outlives_its_unit_keeps_its_data(stopping, pid, answers, words):
    with pytest.raises(ServiceFailed, match=words):
        stopping(pid, answers)


@pytest.fixture
def hold(tmp_path, monkeypatch):
    """An installation that replicates; the timer of systemd is left out."""
    monkeypatch.setattr(timer, "begin", lambda place: None)
    return holds.begin(
        tmp_path, holds.INSTALLATION, 30, unit="m.service", datadir="/d", prepared="/d.incoming", kept="/d.before-1",
        had_data=True, backup={}, step="replicating", id="a1b2",
    )


@pytest.fixture
def started_with(monkeypatch):
    """The options of the server's next starts."""
    given = []
    monkeypatch.setattr(installing.units, "set_options", lambda *options: given.append(options))
    return given


@pytest.fixture
def server(monkeypatch):
    """A server that runs and follows, unless a test says otherwise."""
    server = SimpleNamespace(unit=SimpleNamespace(masked=False), running=True, server=None)
    monkeypatch.setattr(installing.discovery, "place", lambda _settings: server)
    monkeypatch.setattr(installing.discovery, "replication", lambda _server: [channel()])
    return server


def test_what_is_settled_is_noted_with_its_proof_and_nothing_takes_it_back(tmp_path, hold, started_with, server):
    hold.note(step="proved", proof={"proved": True})
    done = installing.settle(None, tmp_path)
    assert (done["kept"], done["proof"]) == ("/d.before-1", {"proved": True})
    assert records.last(tmp_path) == done
    assert started_with == [("m.service", "--read-only=1", "--event-scheduler=OFF")]
    with pytest.raises(NothingToUndo):
        installing.roll_back(tmp_path)


def test_a_proof_of_an_installation_that_is_over_is_no_proof_of_the_next(tmp_path, hold):
    with pytest.raises(ReplicaRefused, match="was the installation c3d4, and a1b2 is under way"):
        installing.proved(tmp_path, {"proved": True}, "c3d4")
    assert installing.summary(hold)["step"] == "replicating"
    assert installing.proved(tmp_path, {"proved": True}, "a1b2")["step"] == "proved"
    assert installing.proved(tmp_path, {"by": "hand"})["id"] == "a1b2"


def test_a_server_that_is_stopped_is_not_settled_whatever_was_said_of_a_proof(tmp_path, hold, started_with, server):
    hold.note(step="proved", proof={"by": "hand"})
    server.running, server.unit.masked = False, True
    with pytest.raises(ReplicaRefused, match="is masked.*No database answers"):
        installing.settle(None, tmp_path)
    assert (started_with, records.last(tmp_path)) == ([], None)
    assert installing.roll_back(tmp_path)["step"] == "proved"


def test_what_was_not_proved_is_not_settled_and_can_still_be_taken_back(tmp_path, hold, started_with, server):
    with pytest.raises(ReplicaRefused, match="was not proved yet"):
        installing.settle(None, tmp_path)
    assert (started_with, records.last(tmp_path)) == ([], None)
    assert installing.roll_back(tmp_path)["step"] == "replicating"


def test_old_data_that_is_gone_for_good_is_given_up_by_its_name_alone(tmp_path, hold):
    for wrong, words in (("/d.before-2", "the old data is in /d.before-1"), ("/d", "the old data is in")):
        with pytest.raises(ReplicaRefused, match=words):
            installing.roll_back(tmp_path, wrong)
    hold.undo.register("datadir", datadir="/d", prepared="/d.incoming", kept="/d.before-1", old=7, new=8)
    with pytest.raises(RollbackIncomplete, match="look for it in /d.before-1"):
        installing.roll_back(tmp_path)
    assert "look for it in" in installing.summary(hold)["trouble"]
    (told,) = installing.roll_back(tmp_path, "/d.before-1")["told"]
    assert told.startswith("datadir was given up: /d is not the data")
    assert not hold.path.exists()


def test_old_logs_that_are_gone_for_good_are_given_up_and_nothing_else(tmp_path, hold, monkeypatch):
    started = []
    monkeypatch.setitem(undoing.HANDLERS, "unit", lambda: started.append("the server"))
    kept = str(tmp_path / "bin.before-1")
    details = {"kind": "binary log", "base": str(tmp_path / "bin"), "channels": [], "kept": kept}
    details["old"] = {"bin.000001": 7}
    hold.note(kept_logs=[kept])
    hold.undo.register("unit")
    hold.undo.register("logs", **details)
    hold.undo.register("new_logs", **details)
    (tmp_path / "bin.000001").touch()
    with pytest.raises(RollbackIncomplete, match=r"bin\.000001 of the old binary log is neither.* Until then"):
        installing.roll_back(tmp_path)
    (told,) = installing.roll_back(tmp_path, kept)["told"]
    assert told.startswith("logs was given up: bin.000001 of the old binary log")
    assert (started, os.path.exists(tmp_path / "bin.000001"), hold.path.exists()) == (["the server"], False, False)


def test_old_data_that_is_there_is_not_given_up(tmp_path, hold):
    hold.note(kept=str(tmp_path))
    with pytest.raises(ReplicaRefused, match="it is there"):
        installing.roll_back(tmp_path, str(tmp_path))


def test_a_backup_that_does_not_get_its_place_is_as_it_was(tmp_path):
    data, new = tmp_path / "data", tmp_path / "new"
    for each in (data, new, tmp_path / "data.before-1"):
        each.mkdir()
        (each / "master.info").touch()
    registered = []
    undo = SimpleNamespace(register=lambda what, **_: registered.append(what))
    found = SimpleNamespace(datadir=str(data), owner=pwd.getpwuid(os.getuid()))
    with pytest.raises(FileExistsError):
        installing._exchange(SimpleNamespace(undo=undo), found, str(new), f"{data}.before-1")
    assert (registered, (new / "master.info").exists()) == (["datadir"], True)


@pytest.fixture
def exchanged(tmp_path, monkeypatch):
    """(the data directory that was exchanged, what was done on the way)."""
    done = []
    data, new = tmp_path / "data", tmp_path / "new"
    for place, mode in ((data, 0o775), (new, 0o700)):
        place.mkdir()
        place.chmod(mode)
    (new / "ibdata1").touch()
    monkeypatch.setattr(installing.datadir, "relabel", lambda path: done.append((path, os.listdir(path))))
    found = SimpleNamespace(datadir=str(data), owner=pwd.getpwuid(os.getuid()))
    undo = SimpleNamespace(register=lambda *_, **__: None)
    installing._exchange(SimpleNamespace(undo=undo), found, str(new), f"{data}.before-1")
    return data, done


def test_labels_are_those_of_the_name_under_which_the_server_finds_its_data(exchanged):
    """A policy goes by the path: labelled as a directory beside that, no server that it rules could open it."""
    data, done = exchanged
    assert done == [(str(data), ["ibdata1"])]


def test_who_may_enter_the_data_directory_may_enter_the_new_one_and_nobody_writes_there(exchanged):
    data, _ = exchanged
    assert data.stat().st_mode & 0o777 == 0o755


def test_a_backup_that_is_just_being_prepared_is_not_removed(tmp_path):
    arrived = tmp_path / "data.incoming"
    arrived.mkdir()
    make(arrived, BEFORE)
    found = SimpleNamespace(datadir=str(tmp_path / "data"))
    with claims.claimed(arrived), pytest.raises(ReplicaRefused, match="is just being prepared"):
        installing.discard(found, tmp_path)
    assert (arrived.is_dir(), installing.discard(found, tmp_path), arrived.exists()) == (True, True, False)
    assert not installing.discard(found, tmp_path)
