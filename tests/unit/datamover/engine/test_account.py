"""What a stream owes: no course of sending, losing and being taken leaves anything out or sends it twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamover.engine.account import Account
from datamover.errors import ProtocolError

from ..strategies import relaxed


def owing(*names):
    account = Account(1)
    for name in names:
        account.owe(name)
    return account


def sent(account, payload=10):
    """Send the next one; return it."""
    owed = account.unsent
    account.sending(payload, payload)
    return owed


def test_what_was_not_taken_is_sent_again_in_its_order():
    account = owing("one", "two", "three")
    assert [sent(account), sent(account), sent(account)] == ["one", "two", "three"]
    account.taken(1, 10)
    account.begin()
    assert [sent(account, 7), sent(account, 8)] == ["two", "three"]
    assert account.sent == (3, 25) and account.unsent is None
    account.taken(3, 25)
    assert (len(account), account.pieces, account.bytes) == (0, 3, 25)


def test_what_is_void_is_left_out_and_not_counted():
    account = owing("one", "void", "three")
    sent(account)
    account.skip()
    assert sent(account) == "three"
    account.taken(2, 20)
    assert len(account) == 0


@pytest.mark.parametrize("pieces, payload", [(0, 0), (3, 30), (2, 19), (2, 10), (1, 20)])
def test_nobody_takes_what_was_not_sent_or_less_than_before(pieces, payload):
    account = owing("one", "two", "three")
    sent(account)
    account.taken(1, 10)
    sent(account)
    with pytest.raises(ProtocolError, match="1 pieces with 10 bytes were before, and 1 more were sent"):
        account.taken(pieces, payload)


def test_what_was_lost_with_a_connection_may_still_turn_out_to_have_been_taken():
    account = owing("one", "two")
    sent(account)
    sent(account)
    account.taken(2, 20)
    account.begin()
    assert account.unsent is None and len(account) == 0


@relaxed
@given(st.lists(st.sampled_from(["owe", "send", "arrive", "break"]), max_size=120))
def test_the_other_end_gets_everything_once_and_in_order(steps):
    """Its side: pieces arrive in order on a connection; when it breaks, what is on the way is gone."""
    account, given_, arrived, on_way = Account(1), 0, [], []
    for step in [*steps, "break", *["send"] * 120, *["arrive"] * 120]:
        if step == "owe":
            account.owe(given_)
            given_ += 1
        elif step == "send" and account.unsent is not None:
            on_way.append(sent(account))
        elif step == "arrive" and on_way:
            arrived.append(on_way.pop(0))
        elif step == "break":
            on_way.clear()
            account.taken(len(arrived), 10 * len(arrived))
            account.begin()
    assert arrived == list(range(given_))
