"""One direction of a long link, by the numbers."""

from bench.relay import Line

BITS = 8000.0
PACKET = b"." * 100
"""Takes a tenth of a second at that rate."""


def arrivals(line, until):
    return list(line.due(until))


def test_a_packet_comes_out_after_its_time_on_the_line_and_the_delay():
    line = Line(BITS, delay=1.0)
    line.take(PACKET, 0.0)
    assert arrivals(line, 1.0) == []
    assert line.wait(1.0) == 0.1 or abs(line.wait(1.0) - 0.1) < 1e-9
    assert arrivals(line, 1.11) == [PACKET]


def test_packets_wait_for_each_other_and_stay_in_order():
    line = Line(BITS, delay=1.0, buffer=10.0)
    packets = [bytes([number]) * 100 for number in range(5)]
    for packet in packets:
        line.take(packet, 0.0)
    assert arrivals(line, 1.25) == packets[:2]
    assert arrivals(line, 9.0) == packets[2:]


def test_an_idle_line_saves_no_time_up():
    line = Line(BITS, delay=0.0)
    line.take(PACKET, 0.0)
    line.take(PACKET, 5.0)
    assert arrivals(line, 5.05) == [PACKET]
    assert arrivals(line, 5.11) == [PACKET]


def test_what_would_wait_too_long_is_dropped():
    line = Line(BITS, delay=0.0, buffer=0.25)
    for _ in range(10):
        line.take(PACKET, 0.0)
    assert (len(arrivals(line, 9.0)), line.dropped) == (3, 7)


def test_an_empty_line_waits_for_nothing():
    assert Line(BITS, 1.0).wait(0.0) is None
