"""
Ports of this host: which are free to listen on, and who holds the others.

Only binding a port reserves it; what is told here is true for the moment. A transfer binds first and tells afterwards.
"""

import contextlib
import os

from salt.exceptions import CommandExecutionError

from datamover.engine import channel
from datamover.errors import PortUnavailable
from hosttools import ports as known
from hosttools.errors import HostToolError

__virtualname__ = "portfinder"

IPV6 = "/proc/net/if_inet6"


def __virtual__():
    return __virtualname__


def free(ports="4400-4499", address=None, count=10):
    """
    Find ports on which a transfer could listen now, by listening on each for a moment.

    ports : 4400-4499
        A port or a range of ports.

    address : all addresses
        The address of this host to listen on.

    count : 10
        Find at most so many, the lowest first.

    Returns a list of ports; an empty one if all are taken. Raises an error if the address is none of this host.

    CLI Example:

    .. code-block:: bash

        salt db2 portfinder.free 4400-4499 count=1
    """
    addresses = [address] if address else ["0.0.0.0", *(["::"] if os.path.exists(IPV6) else [])]
    found = []
    with _told():
        for port in known.parse(ports):
            if len(found) >= count:
                break
            if all(_is_free(port, each) for each in addresses):
                found.append(port)
    return found


def holder(port):
    """
    Tell who listens on a port.

    port
        A tcp port.

    Returns a list of dicts: ``address``, ``port``, ``pid``, ``process`` (its name), ``user``; the last three
    are None for the kernel's own listeners and where this minion may not know. Empty if nobody listens.

    CLI Example:

    .. code-block:: bash

        salt db2 portfinder.holder 4400
    """
    return busy(port)


def busy(ports="4400-4499"):
    """
    List who listens on the ports of a range.

    ports : 4400-4499
        A port or a range of ports.

    Returns a list of dicts as ``portfinder.holder`` does, in the order of the ports.

    CLI Example:

    .. code-block:: bash

        salt db2 portfinder.busy 1-1023
    """
    with _told():
        return [listener.as_dict() for listener in known.listeners(known.parse(ports))]


@contextlib.contextmanager
def _told():
    """Our errors as Salt prints them: one sentence, no traceback."""
    try:
        yield
    except (HostToolError, PortUnavailable) as error:
        raise CommandExecutionError(error.text) from error


def _is_free(port, address):
    try:
        channel.bind([address], port, None).close()
    except PortUnavailable as error:
        if "errno" in error.evidence:  # not taken, but impossible
            raise
        return False
    return True
