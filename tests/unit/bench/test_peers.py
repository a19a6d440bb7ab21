"""The command lines of the peers."""

import shlex
from pathlib import Path

import pytest
from bench.ancestor import PASSWORD
from bench.errors import BenchError
from bench.peers import PEERS
from bench.stage import Stage
from bench.tool import filled

STAGE = Stage(None, {"destination": "10.0.0.2"}, Path("/from/here/data"), Path("/to/place"), Path("/things"))


def line(name, end):
    return filled(getattr(PEERS[name], end), STAGE)


@pytest.mark.parametrize("name", PEERS)
def test_every_name_in_a_line_can_be_filled_in(name):
    peer = PEERS[name]
    assert "{" not in filled(peer.put, STAGE).replace(r"\{\}", "")
    assert peer.get is None or shlex.split(line(name, "get"))


def test_a_path_that_is_more_than_a_word_is_refused():
    odd = Stage(None, {"destination": "10.0.0.2"}, Path("/from/a file"), Path("/to"), Path("/things"))
    with pytest.raises(BenchError, match="a file"):
        filled("cat {source}", odd)


def test_transferpy_sends_a_file_as_its_release_does():
    assert line("transferpy, its defaults", "put").partition("sums=$!; ")[2] == (
        "cd /from/here && /usr/bin/pigz -c < /from/here/data"
        f" | /usr/bin/openssl enc -chacha20 -pass pass:{PASSWORD} -bufsize 8 -iter 310000"
        " | /bin/nc -4 -q 0 -w 300 10.0.0.2 4711 && wait $sums"
    )


def test_transferpy_receives_a_tree_as_its_release_does():
    assert line("transferpy, its defaults, a tree", "get") == (
        "cd /to/place && /bin/nc -4 -l -w 300 -p 4711"
        f" | /usr/bin/openssl enc -d -chacha20 -pass pass:{PASSWORD} -bufsize 8 -iter 310000"
        " | /usr/bin/pigz -c -d | /bin/tar xf -"
        r" && /usr/bin/find data -type f -exec /usr/bin/md5sum \{\} \; > /things/sum.got"
    )


@pytest.mark.parametrize("name", ["rsync daemon", "rsync ssh", "tar, socat TLS, same effort (blake3)"])
def test_a_tree_is_flushed_once_and_not_file_by_file(name):
    lines = [line(name, end) for end in ("put", "get")]
    assert sum("sync -f /to/place" in each for each in lines) == 1
    assert not any("--fsync" in each for each in lines)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("transferpy, nothing on", "plain"),
        ("transferpy, encryption only", "chacha20 without authentication"),
        ("transferpy, checksum parallel", "md5 of the stream"),
    ],
)
def test_transferpy_says_what_is_on(name, words):
    assert PEERS[name].effort == words


def test_only_who_compares_both_copies_proves():
    assert {name for name, peer in PEERS.items() if peer.proves} == {
        f"transferpy, {way}{tree}" for way in ("its defaults", "checksum after") for tree in ("", ", a tree")
    }
