"""The examples of CONTRIBUTING.md do what it says: each block of Python there is run here."""

import re
import threading

import pytest

from datamover.errors import ProducerFailed, ProtocolError
from tests.conftest import CHECKOUT

BLOCKS = re.findall(r"```python\n(.*?)```", (CHECKOUT / "CONTRIBUTING.md").read_text(), re.DOTALL)
CODEC, BACKEND, GUARD, PRODUCER = BLOCKS


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
        producer = names(PRODUCER)["RangeSource"](path, start, length)
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


def test_the_backend_has_what_a_backend_needs():
    assert {"NAME", "open", "renew", "close", "openings"} <= set(names(BACKEND, "hosttools"))
