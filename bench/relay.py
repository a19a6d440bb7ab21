"""A long link between two network namespaces, for kernels without netem: `python bench/relay.py --help`.

A TUN device in each namespace; what one takes in comes out of the other later, in order, no faster than the rate. What
would wait longer than a buffer's time is dropped, as by a router. It prints a line when it is ready, and lasts as long
as its standard input.
"""

import argparse
import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
PACKET = 65536
DEVICE = "far"
BUFFER_SECONDS = 0.1
AT_ONCE = 64
"""Packets taken in before what is due goes out."""


class Line:
    """One direction, as arithmetic: bits a second, seconds of delay, seconds that a packet may wait for its turn."""

    def __init__(self, rate, delay, buffer=BUFFER_SECONDS):
        self._rate, self._delay, self._buffer = rate, delay, buffer
        self._free = 0.0
        self._packets = deque()
        self.dropped = 0

    def take(self, packet, now):
        """Let a packet in, or drop it."""
        start = max(now, self._free)
        if start - now > self._buffer:
            self.dropped += 1
            return
        self._free = start + len(packet) * 8 / self._rate
        self._packets.append((self._free + self._delay, packet))

    def due(self, now):
        """The packets whose time has come, in order."""
        while self._packets and self._packets[0][0] <= now:
            yield self._packets.popleft()[1]

    def wait(self, now):
        """Seconds until the next packet is due; None if there is none."""
        return max(0.0, self._packets[0][0] - now) if self._packets else None


def relay(lines):
    """Carry packets until standard input ends; `lines` are {descriptor in: (Line, descriptor out)}."""
    poll = select.poll()
    for descriptor in (*lines, sys.stdin.fileno()):
        poll.register(descriptor, select.POLLIN)
    while True:
        waits = [wait for line, _ in lines.values() if (wait := line.wait(time.monotonic())) is not None]
        ready = {descriptor for descriptor, _ in poll.poll(min(waits) * 1000 if waits else None)}
        if sys.stdin.fileno() in ready:
            return
        for taken, (line, out) in lines.items():
            if taken in ready:
                take_in(taken, line)
            for packet in line.due(time.monotonic()):
                os.write(out, packet)


def take_in(descriptor, line):
    now = time.monotonic()
    for _ in range(AT_ONCE):
        try:
            line.take(os.read(descriptor, PACKET), now)
        except BlockingIOError:
            return


def open_tun(namespace, address):
    """A TUN device in the network namespace at this path, up and with this address; returns its descriptor."""
    enter(namespace)
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "address", "add", f"{address}/24", "dev", DEVICE], check=True)
    subprocess.run(["ip", "link", "set", DEVICE, "up"], check=True)
    return descriptor


def enter(namespace):
    with open(namespace, "rb") as place:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(place.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for end in ("one", "other"):
        parser.add_argument(f"{end}_namespace", help="its path, such as /run/netns/left")
        parser.add_argument(f"{end}_address")
    parser.add_argument("--rate", type=float, required=True, help="Mbit/s each way")
    parser.add_argument("--round-trip", type=float, required=True, help="seconds")
    options = parser.parse_args()
    one = open_tun(options.one_namespace, options.one_address)
    other = open_tun(options.other_namespace, options.other_address)
    there, back = (Line(options.rate * 1e6, options.round_trip / 2) for _ in range(2))
    print("ready", flush=True)
    relay({one: (there, other), other: (back, one)})


if __name__ == "__main__":
    main()
