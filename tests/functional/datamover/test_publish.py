"""The final name: taken in one step, never over anything, recoverable at every moment."""

import errno
import os
import threading

import pytest

from datamover.disk import kernel, publish
from datamover.disk.publish import Found, How, Intent
from datamover.disk.staging import Staging
from datamover.errors import DestinationExists, DiskError, LocalError, PublishFailed
from datamover.manifest import Entry, Kind
from tests.functional.datamover.places import TRANSFER, destination, plant, private_mounts, run, tmpfs


@pytest.fixture
def place(tmp_path):
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


@pytest.fixture
def tree(place):
    """A verified tree in staging that holds one file "new"."""
    with destination(place / "final", special=()) as (staging, _):
        staging.announce(
            [Entry(0, 0, b"", Kind.DIRECTORY, mode=0o755), Entry(1, 0, b"new", Kind.FILE, mode=0o644, size=3)]
        )
        staging.put_small(1, 1, b"new")
        yield staging


@pytest.fixture
def single(place):
    """A verified single file in staging."""
    with destination(place / "final", special=()) as (staging, _):
        staging.announce([Entry(0, 0, b"", Kind.FILE, mode=0o644, size=3)])
        staging.put_small(0, 1, b"new")
        yield staging


def seen(path):
    """What lies under a name: a file's bytes, a directory's names, None."""
    if path.is_dir():
        return sorted(os.listdir(path))
    return path.read_bytes() if path.exists() else None


def publish_it(staging, overwrite=False):
    intent = publish.intend(staging, overwrite)
    return intent, publish.publish(staging, intent)


NEW = {"tree": ["new"], "single": b"new"}


@pytest.fixture(params=["tree", "single"])
def staging(request):
    staged = request.getfixturevalue(request.param)
    staged.expected = NEW[request.param]
    return staged


def test_data_appears_under_a_new_name_in_one_step(staging, place):
    intent, atomic = publish_it(staging)
    assert atomic and intent.how is How.NEW and seen(place / "final") == staging.expected
    publish.discard(staging, intent)
    assert os.listdir(place) == ["final"]


def untouched(path):
    """What would tell that it was changed; looking into a directory sets its access time."""
    found = os.lstat(path)
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@pytest.mark.parametrize("existing", [b"old", {"old": b"old"}, "nowhere"], ids=["file", "directory", "dangling link"])
def test_what_exists_is_refused_before_and_not_touched(staging, place, existing):
    plant(place, {"final": existing})
    before = untouched(place / "final")
    with pytest.raises(
        DestinationExists, match="final exists; choose another name, remove it, or ask for overwrite=True"
    ):
        publish.intend(staging, overwrite=False)
    assert untouched(place / "final") == before


@pytest.mark.parametrize("existing", [b"old", {"old": b"old"}, "nowhere"], ids=["file", "directory", "dangling link"])
def test_what_came_into_being_meanwhile_is_not_touched(staging, place, existing):
    intent = publish.intend(staging, overwrite=False)
    plant(place, {"final": existing})
    before = untouched(place / "final")
    with pytest.raises(DestinationExists, match="came into being while the data was on its way; it was not touched"):
        publish.publish(staging, intent)
    assert untouched(place / "final") == before and publish.recover(staging, intent) is Found.STAGED


def test_a_tree_takes_the_place_of_an_empty_directory(tree, place):
    plant(place, {"final": {}})
    intent, atomic = publish_it(tree)
    assert atomic and intent.how is How.INTO_EMPTY and seen(place / "final") == ["new"]


def test_an_empty_directory_that_was_filled_meanwhile_is_not_touched(tree, place):
    plant(place, {"final": {}})
    intent = publish.intend(tree, overwrite=False)
    plant(place, {"final": {"late": b"1"}})
    with pytest.raises(DestinationExists, match="was not touched"):
        publish.publish(tree, intent)
    assert seen(place / "final") == ["late"]


def test_a_file_never_takes_the_place_of_a_directory_unasked(single, place):
    plant(place, {"final": {}})
    with pytest.raises(DestinationExists):
        publish.intend(single, overwrite=False)


@pytest.mark.parametrize("existing", [b"old", {"old": b"old"}, "nowhere"], ids=["file", "directory", "dangling link"])
def test_overwriting_exchanges_and_keeps_the_old_until_it_is_discarded(staging, place, existing):
    plant(place, {"final": existing, "bystander": b"1"})
    before = os.lstat(place / "final").st_ino
    intent, atomic = publish_it(staging, overwrite=True)
    assert atomic and intent.how is How.EXCHANGE and seen(place / "final") == staging.expected
    assert os.lstat(os.path.join(staging.path, b"data")).st_ino == before
    publish.discard(staging, intent)
    assert sorted(os.listdir(place)) == ["bystander", "final"] and seen(place / "final") == staging.expected


def test_what_was_to_be_overwritten_may_vanish(staging, place):
    plant(place, {"final": b"old"})
    intent = publish.intend(staging, overwrite=True)
    (place / "final").unlink()
    assert publish.publish(staging, intent)
    assert seen(place / "final") == staging.expected


def test_what_was_replaced_is_not_removed_while_the_new_is_not_there(staging, place):
    plant(place, {"final": b"old"})
    intent, _ = publish_it(staging, overwrite=True)
    os.rename(place / "final", place / "moved on")
    with pytest.raises(LocalError, match="holds what was there before; nothing is removed"):
        publish.discard(staging, intent)
    assert seen(place / f".salt-transfer-{TRANSFER}" / "data") == b"old"
    os.rename(place / "moved on", place / "final")
    publish.discard(staging, intent)
    assert os.listdir(place) == ["final"]


def test_what_was_only_moved_aside_is_not_removed(staging, place):
    plant(place, {"final": b"old"})
    intent = publish.intend(staging, overwrite=True)
    os.rename(place / "final", os.path.join(staging.path, b"old"))
    plant(place, {"final": b"somebody else's"})
    assert publish.recover(staging, intent) is Found.STAGED
    with pytest.raises(LocalError, match="nothing is removed"):
        publish.discard(staging, intent)
    assert seen(place / f".salt-transfer-{TRANSFER}" / "old") == b"old"


def test_an_intent_survives_as_json(staging):
    intent = publish.intend(staging, overwrite=False)
    assert Intent.from_dict(intent.as_dict()) == intent


def refuse(*_arguments):
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


# Recovery, at each moment a crash can leave


@pytest.fixture
def reopened(staging, place):
    """The staging directory as the next process finds it."""
    again = Staging.reopen(os.fsencode(place / "final"), TRANSFER)
    again.expected = staging.expected
    yield again
    again.close()


def test_before_the_rename_the_data_is_staged(staging, reopened):
    intent = publish.intend(staging, overwrite=False)
    assert publish.recover(reopened, intent) is Found.STAGED
    assert publish.publish(reopened, intent)


@pytest.mark.parametrize("existing", [None, b"old", {"old": b"1"}])
def test_after_the_rename_it_is_published(staging, reopened, place, existing):
    plant(place, {} if existing is None else {"final": existing})
    intent, _ = publish_it(staging, overwrite=existing is not None)
    for _ in range(2):
        assert publish.recover(reopened, intent) is Found.PUBLISHED
    assert seen(place / "final") == staging.expected
    publish.discard(reopened, intent)
    assert os.listdir(place) == ["final"]


def test_what_somebody_removed_after_publishing_is_lost(staging, reopened, place):
    intent, _ = publish_it(staging)
    run("rm", "-r", place / "final")
    assert publish.recover(reopened, intent) is Found.LOST


@pytest.mark.parametrize("atomic", [True, False])
def test_what_was_exchanged_and_then_moved_on_is_published(staging, reopened, place, monkeypatch, atomic):
    plant(place, {"final": b"old"})
    if not atomic:
        monkeypatch.setattr(kernel, "rename", refuse)
    intent, _ = publish_it(staging, overwrite=True)
    os.rename(place / "final", place / "moved on")
    assert publish.recover(reopened, intent) is Found.PUBLISHED


def test_between_moving_aside_and_renaming_recovery_goes_forward(staging, reopened, place):
    plant(place, {"final": b"old"})
    intent = publish.intend(staging, overwrite=True)
    os.rename(place / "final", os.path.join(staging.path, b"old"))
    assert publish.recover(reopened, intent) is Found.PUBLISHED
    assert seen(place / "final") == staging.expected


def test_between_link_and_unlink_recovery_removes_the_second_name(single, place):
    intent = publish.intend(single, overwrite=False)
    os.link(os.path.join(single.path, b"data"), place / "final")
    assert publish.recover(single, intent) is Found.PUBLISHED
    assert os.lstat(place / "final").st_nlink == 1


# Kernels and file systems without the flags of renameat2


@pytest.fixture
def plain(monkeypatch):
    """As on a file system that knows neither flag."""
    monkeypatch.setattr(kernel, "rename", refuse)


def test_without_flags_a_new_name_is_taken_and_said_to_be_not_atomic(plain, staging, place):
    _, atomic = publish_it(staging)
    assert not atomic and seen(place / "final") == staging.expected
    assert not os.path.lexists(os.path.join(staging.path, b"data"))


@pytest.mark.parametrize("existing", [b"old", {"old": b"1"}, "nowhere"], ids=["file", "directory", "dangling link"])
def test_without_flags_nothing_is_replaced_either(plain, staging, place, existing):
    intent = publish.intend(staging, overwrite=False)
    plant(place, {"final": existing})
    with pytest.raises(DestinationExists):
        publish.publish(staging, intent)
    assert publish.recover(staging, intent) is Found.STAGED


def test_without_flags_overwriting_moves_the_old_aside(plain, staging, place):
    plant(place, {"final": {"old": b"1"}})
    intent, atomic = publish_it(staging, overwrite=True)
    assert not atomic and seen(place / "final") == staging.expected
    publish.discard(staging, intent)
    assert os.listdir(place) == ["final"]


def test_without_flags_the_old_comes_back_when_the_new_cannot_be_renamed(plain, staging, place, monkeypatch):
    plant(place, {"final": {"old": b"1"}})
    intent = publish.intend(staging, overwrite=True)

    def fail(*_arguments):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(publish, "_publish_new", fail)
    with pytest.raises(PublishFailed, match="Input/output error"):
        publish.publish(staging, intent)
    assert seen(place / "final") == ["old"] and publish.recover(staging, intent) is Found.STAGED


def test_a_probe_tells_what_the_file_system_can_do(staging, monkeypatch):
    before = os.listdir(staging.anchor)
    assert publish.probe(staging) == {"noreplace": True, "exchange": True}
    real = kernel.rename

    def only_noreplace(*arguments):
        if arguments[-1] == kernel.RENAME_EXCHANGE:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(*arguments)

    monkeypatch.setattr(kernel, "rename", only_noreplace)
    assert publish.probe(staging) == {"noreplace": True, "exchange": False}
    assert os.listdir(staging.anchor) == before


# Mounts, links, races


@pytest.mark.root
@private_mounts
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("where", [".", "below"])
def test_a_mount_point_is_refused_in_words(tmp_path, overwrite, where):
    place = tmp_path / "with space"
    plant(tmp_path, {"with space": {"final": {"below": {}}}} if where == "below" else {"with space": {"final": {}}})
    tmpfs(place / "final" / where, "size=1m")
    with destination(place / "final", special=()) as (staging, _):
        staging.announce([Entry(0, 0, b"", Kind.DIRECTORY, mode=0o755)])
        if where == "below" and not overwrite:
            with pytest.raises(PublishFailed, match="cannot be replaced while something is mounted there"):
                publish.intend(staging, overwrite)
        else:
            with pytest.raises(PublishFailed, match="mounted there: .*/with space/final.*; unmount it"):
                publish.intend(staging, overwrite)


@pytest.mark.root
@private_mounts
def test_a_mount_that_came_meanwhile_is_not_replaced(tmp_path):
    plant(tmp_path, {"place": {"final": {}}})
    with destination(tmp_path / "place" / "final", special=()) as (staging, _):
        staging.announce([Entry(0, 0, b"", Kind.DIRECTORY, mode=0o755)])
        intent = publish.intend(staging, overwrite=False)
        tmpfs(tmp_path / "place" / "final", "size=1m")
        with pytest.raises(PublishFailed, match="EBUSY.*unmount it"):
            publish.publish(staging, intent)


def test_of_many_who_want_one_name_exactly_one_gets_it(place):
    """Ten stagings race for the name; those who lose are told and keep their data."""
    outcomes = []
    barrier = threading.Barrier(10)

    def compete(number):
        with destination(place / "final", transfer=f"{number:032x}", special=()) as (staging, _):
            staging.announce([Entry(0, 0, b"", Kind.FILE, mode=0o644, size=1)])
            staging.put_small(0, 1, b"%d" % number)
            intent = publish.intend(staging, overwrite=False)
            barrier.wait()
            try:
                publish.publish(staging, intent)
                outcomes.append(number)
            except DestinationExists:
                assert publish.recover(staging, intent) is Found.STAGED
                outcomes.append(None)

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for number in outcomes if number is not None]
    assert len(outcomes) == 10 and len(winners) == 1 and seen(place / "final") == b"%d" % winners[0]


def test_a_link_to_a_directory_under_the_final_name_is_itself_exchanged(tree, place):
    plant(place, {"precious": {"f": b"1"}, "final": "precious"})
    intent, _ = publish_it(tree, overwrite=True)
    publish.discard(tree, intent)
    assert seen(place / "final") == ["new"] and seen(place / "precious") == ["f"]


def test_staging_that_somebody_removed_is_said_so(tree):
    tree.remove()
    with pytest.raises(DiskError, match="ENOENT"):
        publish.intend(tree, overwrite=False)
