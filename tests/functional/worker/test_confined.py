"""A worker writes below its declared paths alone, whatever becomes of its spec and of the links on the way."""

import os
import threading

import pytest

from datamover.disk import kernel
from datamover.disk.safepath import encode_path
from datamover.errors import MoverError, PolicyRefused
from datamover.host import confine
from datamover.host.rundir import RunDirs
from transferworker import launch
from transferworker.control import Refusal
from transferworker.policy import Policy

landlock = pytest.mark.skipif(confine.version() < confine.LEAST, reason="this kernel has no Landlock that can do it")
TRIES = 8


@pytest.fixture
def elsewhere(tmp_path):
    path = tmp_path / "elsewhere"
    path.mkdir()
    return path


@landlock
def test_a_spec_that_was_tampered_with_after_it_was_accepted_opens_no_other_place(transfer, beta, srv, elsewhere):
    pair = transfer()
    spec = pair.spec("destination")
    run = RunDirs(beta.state_dir).establish(spec)
    run.write("spec", {**spec, "path": encode_path(os.fsencode(elsewhere / "data"))})
    with pytest.raises(Refusal, match="Permission denied"):
        beta.network.do(launch.start, run, spec)
    assert os.listdir(elsewhere) == os.listdir(srv) == []


@landlock
def test_the_log_says_what_confines_the_worker(transfer, srv):
    run = transfer().prepare("destination").run("destination")
    assert f"confined by Landlock to {ascii(str(run.path))}" in run.log.read_text()
    assert ascii(str(srv)) in run.log.read_text()


class Swapper:
    """Exchanges two names of a directory all the time."""

    def __init__(self, directory, one, other):
        self._names = os.fsencode(one), os.fsencode(other)
        self._directory = directory
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._swap)

    def _swap(self):
        here = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            while not self._over.wait(0.0005):
                kernel.rename(here, self._names[0], here, self._names[1], kernel.RENAME_EXCHANGE)
        finally:
            os.close(here)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._over.set()
        self._thread.join()


@pytest.fixture
def crossroads(tmp_path):
    """A directory with `way`, which leads to where this minion may write, and `trap`, which does not."""
    for name in ("permitted", "forbidden", "cross"):
        (tmp_path / name).mkdir()
    (tmp_path / "cross/way").symlink_to(tmp_path / "permitted")
    (tmp_path / "cross/trap").symlink_to(tmp_path / "forbidden")
    return tmp_path


def test_a_link_that_changes_all_the_time_never_leads_to_a_forbidden_place(transfer, beta, crossroads):
    beta.policy = Policy.read({"destinations": {"allow": ["/"], "deny": [str(crossroads / "forbidden")]}})
    refused = 0
    with Swapper(crossroads / "cross", "way", "trap"):
        for _ in range(TRIES):
            pair = transfer(dst=crossroads / "cross/way/data")
            try:
                pair.prepare("destination")
            except (PolicyRefused, MoverError, Refusal):
                refused += 1
            else:
                assert os.listdir(crossroads / "permitted") == [f".salt-transfer-{pair.transfer}"]
                beta.ask("cancel", pair.transfer)
            assert os.listdir(crossroads / "forbidden") == []
    assert refused


@pytest.mark.slow
def test_a_source_whose_link_changes_all_the_time_is_never_read_from_a_forbidden_place(transfer, alpha, crossroads):
    for name in ("permitted", "forbidden"):
        (crossroads / name / "file").write_text(name)
    alpha.policy = Policy.read({"sources": {"deny": [str(crossroads / "forbidden")]}})
    with Swapper(crossroads / "cross", "way", "trap"):
        for number in range(TRIES // 2):
            pair = transfer(src=crossroads / "cross/way/file", dst=crossroads / f"copy{number}", settings__lease=2)
            try:
                pair.begin().verdicts()
            except (PolicyRefused, MoverError, Refusal):
                continue
            copy = crossroads / f"copy{number}"
            assert not copy.exists() or copy.read_text() == "permitted"
