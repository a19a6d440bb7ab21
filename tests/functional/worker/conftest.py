"""A network of their own, two minions in it, and transfers between them."""

import contextlib
import os
import signal

import pytest

from tests.functional.worker.minions import Minion, Network, Pair
from tests.support.waiting import eventually

BIG = 64 * 1024 * 1024


@pytest.fixture
def network():
    with contextlib.closing(Network()) as network:
        yield network


@pytest.fixture
def alpha(tmp_path, network):
    return Minion("alpha", tmp_path, network)


@pytest.fixture
def beta(tmp_path, network):
    return Minion("beta", tmp_path, network)


@pytest.fixture
def data(tmp_path):
    """A small tree with one of most things."""
    root = tmp_path / "data"
    (root / "empty").mkdir(parents=True)
    (root / "file").write_bytes(b"content\n" * 1000)
    (root / "big").write_bytes(bytes(range(256)) * 40_000)
    (root / "odd \n\\ name").write_text("odd")
    (root / "link").symlink_to("file")
    (root / "hard").hardlink_to(root / "file")
    return root


@pytest.fixture
def srv(tmp_path):
    path = tmp_path / "srv"
    path.mkdir()
    return path


@pytest.fixture
def transfer(alpha, beta, data, srv):
    """transfer(**changes of the specs) -> Pair from `data` at alpha to srv/data at beta."""
    pairs = []

    def make(src=data, dst=srv / "data", source=alpha, destination=beta, **changes):
        pairs.append(Pair(source, destination, src, dst, **changes))
        return pairs[-1]

    yield make
    for pair in pairs:
        pair.end()


@pytest.fixture
def big(tmp_path):
    """A file that takes a moment, so that something can happen meanwhile."""
    path = tmp_path / "big"
    with open(path, "wb") as file:
        for _ in range(BIG >> 20):
            file.write(os.urandom(1 << 20))
    return path


@pytest.fixture
def halted(transfer, big, network):
    """halted(arrived, **changes) -> a transfer of which so much has arrived: the source's worker stands still.

    It is stopped by SIGSTOP, so that the moment is certain and not a matter of luck.
    """
    network.limit("40mbit")
    stopped = []

    def halt(arrived=1, **changes):
        pair = transfer(src=big, **changes).begin()
        pair.follow_until("destination", "moving")
        # Counters are no events, so nobody announces the first byte.
        assert eventually(lambda: pair.destination.ask("status", pair.transfer)["progress"]["bytes_done"] >= arrived)
        pair.worker("source").suspend()
        stopped.append(pair.worker("source"))
        return pair

    yield halt
    for worker in stopped:
        if worker.is_running():
            worker.send_signal(signal.SIGCONT)
