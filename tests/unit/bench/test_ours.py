"""Our own side of a row: what a real transfer would be told, and the Python that the row means."""

import pytest
from bench.campaign import side_of
from bench.errors import BenchError
from bench.network import UNSHAPED, Loopback
from bench.ours import BLAKE3, SETTINGS, ZSTD, Ours
from bench.rows import BARE, LACKING, STANDARD
from bench.stage import Stage, check_equal

from tests.unit.transferplan.samples import ALPHA, BETA, alpha, asked, beta
from transferplan import plan

ENOUGH = 60


@pytest.fixture
def stage(tmp_path):
    """Two ends on this host, and a file that can be compressed."""
    for name in ("source", "place", "things"):
        (tmp_path / name).mkdir()
    source = tmp_path / "source" / "data"
    source.write_bytes(b"said again and again, " * 5000)
    network = Loopback()
    with network.over(UNSHAPED) as addresses:
        yield Stage(network, addresses, source, tmp_path / "place", tmp_path / "things", ENOUGH)


def test_it_is_set_as_a_plan_for_two_such_hosts_sets_it():
    """But for how long nothing may move: a benchmark that hangs need not be waited for."""
    planned = plan.make(asked(), {ALPHA: alpha(), BETA: beta()}).specs()
    settings = {name: value for name, value in SETTINGS.items() if name != "stall_timeout"}
    for spec in planned.values():
        assert {name: spec["settings"][name] for name in settings} == settings


def test_a_run_moves_everything_and_tells_what_it_cost(stage):
    run = side_of(STANDARD).run(stage)
    check_equal(stage.source, side_of(STANDARD).arrival(stage.place, "data"))
    assert run.seconds > 0 and all(run.processor.values())
    assert 0 < run.more["wire_bytes"] < stage.source.stat().st_size / 10


@pytest.mark.parametrize(
    ("changes", "words"), [({"digest": "blake3"}, "'blake3' is not available here"), ({"compress": "zstd"}, "'zstd'")]
)
def test_what_a_row_does_without_is_really_not_there(stage, changes, words):
    with pytest.raises(BenchError, match=words):
        Ours("bare", {"digest": "sha256", **changes}, (BLAKE3, ZSTD)).run(stage)


def test_salts_own_python_has_sha256_and_zlib_and_no_more(stage):
    bare = side_of(BARE)
    assert set(LACKING[BARE]) == {BLAKE3, ZSTD} and "zlib" in bare.effort and "sha256" in bare.effort
    assert 0 < bare.run(stage).more["wire_bytes"] < stage.source.stat().st_size / 10
