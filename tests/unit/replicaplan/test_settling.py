"""When new data may be kept for good."""

import pytest

from replicaplan.settling import against_settling

from .facts import channel

RUNS = [channel()]


def test_what_was_proved_and_follows_may_be_kept():
    assert against_settling("proved", False, True, RUNS) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (("replicating", False, True, RUNS), ["was not proved yet"]),
        (("proved", True, False, []), ["is masked: replica.start_isolated", "No database answers"]),
        (("proved", False, False, []), ["No database answers"]),
        (("proved", False, True, []), ["It follows nobody"]),
        (("proved", False, True, [channel(sql="No")]), ["The applying thread does not run"]),
        (("proved", False, True, [channel(io="Connecting")]), ["The receiving thread does not run"]),
    ],
)
def test_a_word_that_it_was_proved_does_not_keep_what_does_not_run_and_follow(found, words):
    against = against_settling(*found)
    assert len(against) == len(words)
    assert all(word in reason for word, reason in zip(words, against, strict=True))
