"""A limit on real workers: it holds, it is no stall, it changes while they run, and their records tell it."""

import pytest

from datamover.errors import OutOfTurn
from tests.support.waiting import eventually
from transferworker.control import Refusal

SIZE = 6_000_000
SLOW = 200_000


@pytest.fixture
def slow(transfer, tmp_path):
    """A transfer that would take half a minute."""
    (tmp_path / "file").write_bytes(bytes(SIZE))
    limits = {"settings__limit": SLOW, "settings__compress": "none", "settings__stall_timeout": 30}
    return transfer(src=tmp_path / "file", dst=tmp_path / "srv" / "file", **limits).begin()


def test_a_lifted_limit_lets_a_slow_transfer_finish_at_once(slow, alpha):
    assert eventually(lambda: alpha.ask("status", slow.transfer, "source")["stages"].get("limit", 0) > 0.2)
    assert alpha.ask("status", slow.transfer, "source")["limit"] == SLOW
    told = alpha.ask("limit", slow.transfer, 2 * SLOW)
    assert (told["limit"], told["before"]) == (2 * SLOW, SLOW)
    assert alpha.ask("status", slow.transfer, "source")["limit"] == 2 * SLOW
    assert alpha.ask("limit", slow.transfer, 0)["limit"] == 0
    source, destination = slow.verdicts()
    assert (source["error"], destination["error"]) == (None, None)
    assert source["stages"]["limit"] > 0 and source["wire_bytes"] == SIZE
    told = alpha.ask("follow", slow.transfer, 0, 0, "source")
    assert [event["rate"] for event in told["events"] if event["what"] == "limit"] == [2 * SLOW, 0]
    assert told["limit"] == 0


def test_only_a_running_source_takes_a_limit(slow, alpha, beta):
    with pytest.raises(Refusal, match="the source of a transfer holds its limit") as refused:
        beta.ask("limit", slow.transfer, 0, "destination")
    assert refused.value.code == OutOfTurn.code
    alpha.ask("limit", slow.transfer, 0)
    slow.verdicts()
    with pytest.raises(OutOfTurn, match="cannot limit any more"):
        alpha.ask("limit", slow.transfer, 0)


@pytest.mark.slow
def test_what_is_limited_takes_as_long_as_the_limit_says_and_does_not_stall(slow, alpha):
    alpha.ask("limit", slow.transfer, SIZE // 40)
    source, _ = slow.verdicts()
    assert source["error"] is None
    assert source["seconds"]["move"] >= 0.9 * 40
