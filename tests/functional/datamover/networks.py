"""Networks that do what a test needs: a port that swallows connections, a network namespace of a test's own."""

import contextlib
import ctypes
import functools
import os
import socket
import threading

from tests.functional.datamover.places import run

_NEW_NETWORK = 0x40000000


@contextlib.contextmanager
def deaf_port(address="127.0.0.1"):
    """A port whose queue is full, so that the kernel drops every further attempt to connect, as a firewall may."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((address, 0), backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def private_network(test):
    """Run a test in a thread with a network of its own: 10.9.9.1/24 on an interface whose other end is nobody."""

    @functools.wraps(test)
    def wrapper(*arguments, **keywords):
        trouble = []

        def body():
            try:
                _leave_the_hosts_network()
                test(*arguments, **keywords)
            except BaseException as error:
                trouble.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if trouble:
            raise trouble[0]

    return wrapper


def _leave_the_hosts_network():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "inside", "type", "veth", "peer", "name", "outside")
    run("ip", "address", "add", "10.9.9.1/24", "dev", "inside")
    for name in ("inside", "outside"):
        run("ip", "link", "set", name, "up")


def forbid_going_out(port, verdict):
    """Have the firewall of this network namespace treat what goes out to a port in this way."""
    run("nft", "add", "table", "inet", "test")
    run("nft", "add chain inet test out { type filter hook output priority 0; }")
    run("nft", f"add rule inet test out tcp dport {port} {verdict}")
