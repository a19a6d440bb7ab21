"""The examples of CONTRIBUTING.md do what it says: each block of Python there is run here."""

import os
import re
import sys
import threading
from types import SimpleNamespace

import pytest

from datamover.errors import ConsumerFailed, ProducerFailed, ProtocolError
from tests.conftest import CHECKOUT
from tests.unit.transferplan import samples
from transferplan import flows
from transferplan.facts import Facts
from transferplan.request import Endpoint

BLOCKS = re.findall(r"```python\n(.*?)```", (CHECKOUT / "CONTRIBUTING.md").read_text(), re.DOTALL)
CODEC, BACKEND, GUARD, PRODUCER, CONSUMER, PLAN = BLOCKS


def names(block, package=None, **known):
    """What a block defines, as a module of the package where the page puts it."""
    names = {"__name__": "example", "__package__": package, **known}
    exec(compile(block, "CONTRIBUTING.md", "exec"), names)
    return names


def test_the_codec_packs_and_takes_nothing_else_than_it_packed():
    codec, data = names(CODEC, "datamover")["Bzip2"](9), b"what is said twice " * 1000
    packed = codec.pack(data)
    assert len(packed) < len(data) and codec.unpack(packed, len(data)) == data
    for wrong, length in ((packed, len(data) - 1), (packed, len(data) + 1), (packed[:-1], len(data)), (b"x", 1)):
        with pytest.raises(ProtocolError):
            codec.unpack(wrong, length)
    with pytest.raises(ProtocolError):
        codec.unpack(packed + b"more", len(data))


@pytest.fixture
def produced(tmp_path):
    """produced(start, length) -> (bytes, report) of a file of a thousand bytes."""
    path = tmp_path / "device"
    path.write_bytes(bytes(range(250)) * 4)

    def produced(start, length):
        producer = names(PRODUCER, "datamover.flow")["RangeSource"](os.fsencode(path), start, length)
        producer.begin(threading.Event())
        try:
            view, got = memoryview(bytearray(64)), b""
            while count := producer.read_into(view):
                got += bytes(view[:count])
            return got, producer.finish()
        finally:
            producer.end()
            producer.end()

    return produced


def test_the_producer_gives_its_range_and_a_report(produced):
    assert produced(100, 300) == ((bytes(range(250)) * 4)[100:400], {"start": 100, "bytes": 300})


def test_a_producer_that_cannot_give_all_makes_no_report(produced):
    with pytest.raises(ProducerFailed):
        produced(900, 200)


def test_the_consumer_keeps_what_was_sent_and_takes_nothing_less(tmp_path, monkeypatch):
    ranges = SimpleNamespace(**names(PRODUCER, "datamover.flow"))
    monkeypatch.setitem(sys.modules, "datamover.flow.ranges", ranges)
    sink = names(CONSUMER, "transferworker")["Kept"](None, None, None).sink
    anchor = os.open(tmp_path, os.O_RDONLY)
    try:
        sink.begin(anchor, b"data", threading.Event())
        sink.feed(memoryview(b"abc"))
        assert sink.finish({"bytes": 3}) == {"bytes": 3}
        with pytest.raises(ConsumerFailed):
            sink.finish({"bytes": 4})
    finally:
        sink.end()
        os.close(anchor)
    assert (tmp_path / "data").read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("start", "found", "words"),
    [
        (7, {"kind": "file", "bytes": 10}, []),
        (8, {"kind": "file", "bytes": 10}, ["has 10 bytes, so not 3 bytes from 8 on"]),
        (0, {"kind": "directory"}, ["is no file"]),
        (0, {"exists": False}, ["does not exist"]),
    ],
)
def test_the_plan_says_what_speaks_against_a_range(start, found, words):
    own = names(PLAN, "transferplan", **vars(flows))
    facts = Facts.from_payload(samples.alpha(samples.source(**found)), "alpha")
    asked = SimpleNamespace(start=start, length=3, special=(), include=(), exclude=())
    reasons = [reason.text for reason in own["_range"](Endpoint("alpha", b"/srv/data"), facts, facts.source, asked)]
    assert len(reasons) == len(words) and all(word in reason for word, reason in zip(words, reasons, strict=True))
    assert own["_range_told"](asked, facts) == {"start": start, "length": 3}
    assert f"3 bytes from {start} on" in own["_range_in_words"](own["_range_told"](asked, facts))


def test_the_backend_has_what_a_backend_needs():
    assert {"NAME", "open", "renew", "close", "openings"} <= set(names(BACKEND, "hosttools"))
