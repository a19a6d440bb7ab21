"""Paths in JSON, and the pool of descriptors."""

import errno
import json
import os
import threading

import pytest

from datamover.disk import kernel
from datamover.disk.removal import empty
from datamover.disk.safepath import (
    Descriptors,
    Directories,
    decode_path,
    descend,
    encode_path,
    open_parent,
    split_final,
)
from tests.conftest import CHECKOUT

GOLDEN = json.loads((CHECKOUT / "tests" / "golden" / "paths.json").read_text())


@pytest.mark.parametrize(("path", "text"), [(bytes.fromhex(path), text) for path, text in GOLDEN["pairs"]])
def test_a_path_in_json_is_printable_ascii_and_comes_back(path, text):
    assert encode_path(path) == text
    assert decode_path(text) == path


@pytest.mark.parametrize("text", GOLDEN["refused"])
def test_another_spelling_of_a_path_is_refused(text):
    with pytest.raises(ValueError, match="not a path as it is written in JSON"):
        decode_path(text)


def test_every_byte_survives():
    every = bytes(range(256))
    assert encode_path(every).isascii() and encode_path(every).isprintable()
    assert decode_path(encode_path(every)) == every


@pytest.mark.parametrize(
    ("path", "expected"),
    [(b"/srv/data", (b"/srv", b"data")), (b"/srv/data///", (b"/srv", b"data")), (b"/data", (b"/", b"data"))],
)
def test_a_final_name_is_its_parent_and_last_component(path, expected):
    assert split_final(path) == expected


def is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def pool(tmp_path, capacity):
    return Descriptors(lambda name: os.open(tmp_path / name, os.O_RDONLY | os.O_CREAT), capacity)


def use(descriptors, key):
    with descriptors.hold(key) as descriptor:
        return descriptor


def test_the_least_lately_used_descriptor_is_closed_first(tmp_path):
    descriptors = pool(tmp_path, 2)
    a, b = use(descriptors, "a"), use(descriptors, "b")
    use(descriptors, "a")
    with descriptors.hold("c") as c:
        assert is_open(a) and is_open(c) and not is_open(b)


def test_a_descriptor_in_use_is_never_closed(tmp_path):
    descriptors = pool(tmp_path, 1)
    with descriptors.hold("a") as a:
        use(descriptors, "b")
        descriptors.drop("a")
        assert is_open(a)
    assert not is_open(a)


def test_closing_closes_all(tmp_path):
    descriptors = pool(tmp_path, 4)
    opened = [use(descriptors, name) for name in "abc"]
    descriptors.close()
    assert not any(map(is_open, opened)) and not len(descriptors)


def test_many_threads_see_only_descriptors_of_their_own_key(tmp_path):
    descriptors = pool(tmp_path, 3)
    inodes = {name: os.fstat(use(descriptors, name)).st_ino for name in "abcdefgh"}
    wrong = []

    def look(name):
        for _ in range(500):
            with descriptors.hold(name) as descriptor:
                if os.fstat(descriptor).st_ino != inodes[name]:
                    wrong.append(name)

    threads = [threading.Thread(target=look, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    descriptors.close()


def test_a_thousand_directories_deep_and_wide_need_few_descriptors(tmp_path):
    """Numbers 1..600 are one inside the other, under names that add up to far more than PATH_MAX."""
    long_name = b"d" * 200
    anchor, name = open_parent(os.fsencode(tmp_path / "root"))
    os.mkdir(name, dir_fd=anchor)
    directories = Directories(anchor, name, lambda number: (number - 1, long_name), capacity=8)
    for number in range(600):
        with directories.hold(number) as directory:
            os.mkdir(long_name, dir_fd=directory)
    before = len(os.listdir("/proc/self/fd"))
    for number in (599, 0, 300, 599, 10, 20, 30, 40, 50, 60, 70, 80):
        with directories.hold(number) as directory:
            assert os.listdir(directory) == [long_name.decode()]
    assert len(os.listdir("/proc/self/fd")) <= before + 8
    directories.close()
    top = descend(anchor, [name])
    empty(top, last=b"")
    os.close(top)
    os.close(anchor)


@pytest.fixture(params=["in one step", "step by step"])
def way(request, monkeypatch):
    """Both ways to descend: with a kernel that can do it at once, and with an older one."""

    def unknown(*_arguments):
        raise OSError(errno.ENOSYS, "not here")

    if request.param == "step by step":
        monkeypatch.setattr(kernel, "open_beneath", unknown)


def test_a_link_at_any_step_is_an_error(tmp_path, way):
    (tmp_path / "a/b/c").mkdir(parents=True)
    for link, target in (("a/b/link", "c"), ("a/link", "b"), ("link", "a"), ("out", "/")):
        (tmp_path / link).symlink_to(target)
    root = os.open(tmp_path, os.O_RDONLY)
    below = descend(root, [b"a", b"b", b"c"])
    assert os.path.samestat(os.fstat(below), os.stat(tmp_path / "a/b/c"))
    for names in ([b"a", b"b", b"link"], [b"a", b"link", b"c"], [b"link", b"b", b"c"], [b"out", b"usr"]):
        with pytest.raises(OSError, match="Not a directory|Too many levels"):
            descend(root, names)
    with pytest.raises(FileNotFoundError):
        descend(root, [b"a", b"b", b"missing"])
    os.close(below)
    os.close(root)


def test_a_link_in_the_way_is_an_error(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    root = os.open(tmp_path, os.O_RDONLY)
    os.close(descend(root, [b"real"]))
    with pytest.raises(OSError, match="Not a directory|Too many levels"):
        descend(root, [b"link"])
    os.close(root)
