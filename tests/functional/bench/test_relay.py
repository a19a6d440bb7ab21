"""The relay between two network namespaces: it delays, keeps order, and lets no more through than its rate."""

import contextlib
import json
import subprocess
import sys

import pytest
from bench.network import RELAY

pytestmark = pytest.mark.root

ADDRESSES = ("10.98.7.1", "10.98.7.2")
ROUND_TRIP = 0.2
SEND = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(int(sys.argv[3])):
    words = b"%d %f" % (number, time.monotonic())
    sock.sendto(words.ljust(int(sys.argv[4])), (sys.argv[1], int(sys.argv[2])))
"""
RECEIVE = """
import json, socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
sock.bind((sys.argv[1], 0))
print(sock.getsockname()[1], flush=True)
sock.settimeout(60)
got = []
while len(got) < int(sys.argv[2]):
    try:
        words = sock.recv(65536).split()
    except TimeoutError:
        break
    got.append((int(words[0]), time.monotonic() - float(words[1])))
    sock.settimeout(3)
print(json.dumps(got), flush=True)
"""


@contextlib.contextmanager
def namespace():
    """The pid of a process that holds a network namespace open."""
    with subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo here; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        yield holder.pid
        holder.stdin.close()


@contextlib.contextmanager
def long_link(rate):
    """The pids that hold the two ends of a link of this many Mbit/s."""
    with contextlib.ExitStack() as stack:
        one, other = (stack.enter_context(namespace()) for _ in ADDRESSES)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        relay = stack.enter_context(subprocess.Popen(relay_between(one, other, rate), **pipes))
        assert relay.stdout.readline() == b"ready\n"
        yield one, other
        relay.stdin.close()


def relay_between(one, other, rate):
    ends = [f"/proc/{one}/ns/net", ADDRESSES[0], f"/proc/{other}/ns/net", ADDRESSES[1]]
    return [sys.executable, RELAY, *ends, "--rate", str(rate), "--round-trip", str(ROUND_TRIP)]


def inside(pid, program, *arguments):
    return ["nsenter", "--target", str(pid), "--net", sys.executable, "-c", program, *map(str, arguments)]


def carried(rate, count, size):
    """[(number, seconds on the way)] of numbered packets, as they came."""
    with long_link(rate) as (one, other):
        receive = inside(other, RECEIVE, ADDRESSES[1], count)
        with subprocess.Popen(receive, stdout=subprocess.PIPE, text=True) as receiver:
            port = receiver.stdout.readline().strip()
            subprocess.run(inside(one, SEND, ADDRESSES[1], port, count, size), check=True)
            return json.loads(receiver.stdout.readline())


def test_every_packet_comes_in_order_and_late():
    got = carried(rate=100, count=50, size=100)
    assert [number for number, _ in got] == list(range(50))
    assert min(seconds for _, seconds in got) >= ROUND_TRIP / 2


def test_more_than_the_rate_does_not_get_through():
    got = carried(rate=1, count=1000, size=1000)
    numbers = [number for number, _ in got]
    assert numbers == sorted(numbers)
    assert 10 <= len(numbers) < 900


def test_it_ends_with_its_standard_input():
    with namespace() as one, namespace() as other:
        done = subprocess.run(relay_between(one, other, 1), stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, b"ready\n")
