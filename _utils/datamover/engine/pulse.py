"""What the kernel knows of a connection that nobody answers on.

A slow reader closes its window and its kernel goes on acknowledging; behind a broken path nothing is acknowledged.
Only the second is silence.
"""

import socket
import struct

_INFO = struct.Struct("=8B16I")
_PROBES, _UNACKNOWLEDGED, _LAST_ACK = 3, 12, 20
"""Places in the kernel's tcp_info: window probes unanswered, segments in flight, milliseconds since the last ack."""
_SHUT = struct.Struct("=176xQ")
"""Where it tells for how many microseconds nothing could be sent because the other end had no room for more."""


def is_silent(sock, seconds):
    """Whether something sent on this TCP socket waits to be acknowledged and nothing was for so long."""
    info = _INFO.unpack(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size))
    return bool(info[_UNACKNOWLEDGED] or info[_PROBES]) and info[_LAST_ACK] >= seconds * 1000


def pushed_back(sock):
    """Seconds for which who reads at the other end of this TCP socket took less than our kernel had for it."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SHUT.size)
    return _SHUT.unpack(info)[0] / 1e6 if len(info) == _SHUT.size else 0.0
