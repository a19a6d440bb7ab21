"""The destination's edge of a stream: a consumer is fed all once and in order, whatever comes how often."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from datamover.disk.journal import Journal
from datamover.engine.stop import Stop, Stopped
from datamover.errors import Cancelled, ConnectionLost, ProtocolError
from datamover.flow import segments
from datamover.flow.places import FileSink
from datamover.flow.sink import StreamStaging
from tests.functional.datamover.ends import TRANSFER
from tests.support.waiting import eventually

BLOCK = 1024
REPORT = segments.encode({"said": "all"})


@pytest.fixture
def stop():
    return Stop()


@pytest.fixture
def consumer():
    """A file that notes what it was fed."""
    fed = []
    sink = FileSink(lambda report, size: report, lambda _file, view: fed.append(bytes(view)))
    sink.fed = fed
    return sink


@pytest.fixture
def staging(tmp_path, consumer):
    journal = Journal("")
    staging = StreamStaging.create(os.fsencode(tmp_path / "final"), TRANSFER, {}, journal, special=frozenset())
    staging.attach(consumer, BLOCK)
    staging.share(lambda: None)
    yield staging
    staging.close()


@pytest.fixture
def begun(staging, stop):
    """It may get three segments and the report."""
    staging.begin(stop)
    entries = [segments.root(), *(segments.segment(number, 4) for number in (1, 2, 3))]
    staging.announce([*entries, segments.report(4, len(REPORT))])
    return staging


def test_a_segment_that_comes_twice_at_once_is_fed_once(begun, consumer):
    """Both wait for their turn, as pieces do that come early on two streams."""
    with ThreadPoolExecutor() as threads:
        twice = [threads.submit(begun.write, 2, 1, 0, b"BBBB") for _ in range(2)]
        begun.write(1, 1, 0, b"AAAA")
        begun.finish(1)
        assert {type(each.exception()) for each in twice} == {type(None), ProtocolError}
    assert consumer.fed == [b"AAAA", b"BBBB"]


@pytest.mark.parametrize(("offset", "view"), [(0, b"AA"), (3, b"A"), (1, b"AAA")])
def test_bytes_that_were_fed_or_come_too_early_are_refused(begun, consumer, offset, view):
    begun.write(1, 1, 0, b"AA")
    with pytest.raises(ProtocolError, match="2 of segment 1 had been fed"):
        begun.write(1, 1, offset, view)
    assert consumer.fed == [b"AA"]


def test_what_was_fed_in_a_pack_comes_in_no_other_form_again(begun, consumer):
    begun.put_pack([(1, 1, b"AAAA")])
    for again in (lambda: begun.write(1, 1, 0, b"AAAA"), lambda: begun.put_pack([(1, 1, b"aaaa")])):
        with pytest.raises(ProtocolError, match="segment 1"):
            again()
    assert consumer.fed == [b"AAAA"]


def test_of_a_pack_whose_link_is_cut_what_was_fed_has_landed(begun, consumer):
    """Else the same could come again with other bytes, and be digested in place of what was fed."""
    with ThreadPoolExecutor() as threads:
        pack = threads.submit(begun.put_pack, [(1, 1, b"AAAA"), (3, 1, b"CCCC")])
        assert eventually(lambda: consumer.fed)
        begun.cut()
        assert [number for number, _, _ in pack.result()] == [1]
    with pytest.raises(Stopped):
        begun.put_pack([(3, 1, b"CCCC")])


def test_a_link_that_ends_before_the_consumer_begins_is_only_the_end_of_that_link(staging, stop):
    link, heard = stop.child(), []
    link.on_set(lambda _reason: staging.cut())
    link.on_set(heard.append)
    link.set(ConnectionLost("the control connection to alpha broke"))
    assert [str(each) for each in heard] == ["the control connection to alpha broke"]


def test_nobody_who_waits_for_the_end_is_left_out_because_another_one_fails():
    stop, heard = Stop(), []
    stop.on_set(lambda _reason: 1 // 0)
    stop.on_set(heard.append)
    with pytest.raises(ZeroDivisionError):
        stop.set(Cancelled("enough"))
    assert len(heard) == 1
