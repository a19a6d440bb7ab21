"""The one word for how a run ended."""

import pytest

from datamover.engine.outcome import Outcome
from datamover.errors import Cancelled, PeerFailed, Stalled
from datamover.wire.messages import Failed


@pytest.mark.parametrize(
    "error, result",
    [
        (None, "published"),
        (Stalled("nothing moved"), "failed"),
        (Cancelled("somebody ended it"), "cancelled"),
        (Failed.of(Cancelled("somebody ended it")).as_error("beta"), "cancelled"),
        (Failed.of(Stalled("nothing moved")).as_error("beta"), "failed"),
        (PeerFailed("beta: without a code"), "failed"),
    ],
    ids=str,
)
def test_a_cancel_is_one_whichever_end_heard_it_first(error, result):
    assert Outcome(error).result == result
