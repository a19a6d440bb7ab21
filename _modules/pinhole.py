"""
Temporary openings of this host's firewall: from named addresses to one tcp port, through every chain that decides.

A pinhole has a lease. The kernel closes it by itself when nobody renews it, whatever died; ``sweep`` removes the inert
rule that then remains. Rules carry the tag ``salt-transfer:TRANSFER:ATTEMPT`` as their exact comment. nftables and
iptables (over nf_tables and legacy) can be opened, also several of them on one host, and firewalld at runtime: the
timers there live in the daemon, and rules log the tag, since they have no comments.

What an administrator forbids with ``forbid`` is not opened, by this module or by any transfer, until it is lifted.
"""

import contextlib

from salt.exceptions import CommandExecutionError

from datamover.host import process
from hosttools import commands, firewall, forbidden, pinholes
from hosttools.errors import HostToolError, PinholeGone
from transferplan import settings
from transferplan.errors import PlanError
from transferworker import audit

__virtualname__ = "pinhole"

__func_alias__ = {"open_": "open", "list_": "list"}

BY_HAND = "by-hand"


def __virtual__():
    return __virtualname__


def survey():
    """
    Tell what decides about connections to this host. Changes nothing.

    Returns a dict: ``backend`` (nft, iptables, mixed for several, firewalld, none), ``variant`` (of iptables:
    nft or legacy), ``drops`` (whether any chain may refuse), ``chains`` (those that may: backend, variant,
    family, table, chain, policy), ``outbound`` (chains that refuse by policy what this host sends), ``trouble``
    (sentences on what could not be found out; with any, "none" does not mean that there is no firewall).

    CLI Example:

    .. code-block:: bash

        salt db2 pinhole.survey
    """
    return _done(firewall.survey())


def open_(source, port, lease=60, tag=None):
    """
    Open a pinhole in every chain that decides, in place of what the same tag opened before.

    source
        The address that may connect, or several: a list, or words with commas.

    port
        The tcp port of this host.

    lease : 60
        Seconds until it closes by itself, at most a day.

    tag : salt-transfer:by-hand:PORT
        Under which name it is listed, renewed and closed.

    Returns a dict: ``tag``, ``sources``, ``port``, ``lease``, ``chains`` (where it was opened; none, if nothing on this
    host refuses connections). Raises an error with every reason if it is forbidden, if the firewall cannot be read, or
    if what was opened is not listed afterwards; then nothing stays open.

    CLI Example:

    .. code-block:: bash

        salt db2 pinhole.open 192.0.2.10 4400 lease=300
    """
    with _told():
        label = tag or pinholes.tag(BY_HAND, port)
        return _open(pinholes.Pinhole(label, _listed(source), "this host", port), lease)


def renew(tag, lease=60):
    """
    Let the lease of an open pinhole begin anew.

    tag
        As ``pinhole.list`` shows it.

    lease : 60
        Seconds from now.

    Returns the same dict as ``pinhole.open``. Raises an error if the pinhole is not open (any more).

    CLI Example:

    .. code-block:: bash

        salt db2 pinhole.renew salt-transfer:by-hand:4400 lease=600
    """
    with _told():
        found = [opening for opening in _openings(pinholes.check_tag(tag)) if not opening.expired]
        if not found:
            raise PinholeGone(f"No pinhole {tag} is open on this host: open it again.")
        sources = tuple(dict.fromkeys(opening.source for opening in found))
        return _open(pinholes.Pinhole(tag, sources, "this host", found[0].port), lease)


def close(tag):
    """
    Close a pinhole and remove everything of it. Closing what is not there is no error.

    A transfer that still runs opens its own pinhole again, a few times; to prevent that use ``pinhole.forbid``.

    tag
        As ``pinhole.list`` shows it.

    Returns a dict: ``tag``, ``closed`` (whether there was anything to remove).

    CLI Example:

    .. code-block:: bash

        salt db2 pinhole.close salt-transfer:by-hand:4400
    """
    with _told():
        found = _openings(pinholes.check_tag(tag))
        commands.drive(firewall.close(tag), process.run)
        _note("pinhole closed", tag=tag)
        return {"tag": tag, "closed": bool(found)}


def list_(prefix=pinholes.PREFIX):
    """
    List the pinholes that the firewall shows, one row for each chain and source.

    prefix : salt-transfer:
        Only tags that begin so.

    Returns a list of dicts: ``tag``, ``source`` (None, if the lease is over and only the inert rule is left), ``port``,
    ``remaining`` (seconds; None where the firewall does not tell), ``expiry`` (who ends it when its lease is over: the
    kernel or a daemon), ``backend``, ``variant``, ``family``, ``table``, ``chain``.

    CLI Example:

    .. code-block:: bash

        salt db2 pinhole.list
    """
    with _told():
        return [opening.as_dict() for opening in commands.drive(firewall.openings(prefix), process.run)]


def sweep(test=False):
    """
    Remove the rules of pinholes whose lease is over. Open ones are not touched; ``transfer.sweep`` knows more.

    test : False
        Only list them.

    Returns a dict: ``found`` and ``removed`` (lists of tags).

    CLI Example:

    .. code-block:: bash

        salt db2 pinhole.sweep
    """
    with _told():
        found = commands.drive(firewall.openings(), process.run)
        open_tags = {opening.tag for opening in found if not opening.expired}
        over = sorted({opening.tag for opening in found} - open_tags)
        for tag in [] if test else over:
            commands.drive(firewall.close(tag), process.run)
            _note("pinhole closed", tag=tag)
        return {"found": over, "removed": [] if test else over}


def forbid(source="", ports="", reason=""):
    """
    Forbid pinholes on this host, whoever asks for them, until it is lifted. What is open already stays open.

    source : every source
        An address or a network.

    ports : every port
        A port or a range of ports.

    reason
        What those are told who want it opened.

    Returns a list of dicts, all that is forbidden now: ``source``, ``ports``, ``reason``.

    CLI Example:

    .. code-block:: bash

        salt db2 pinhole.forbid source=198.51.100.0/24 reason='guests do not get data'
    """
    with _told():
        entries = forbidden.add(_state_dir(), forbidden.Entry(str(source), str(ports), str(reason)))
        _note("pinholes forbidden", source=str(source), ports=str(ports), reason=str(reason))
        return _shown(entries)


def lift(source="", ports=""):
    """
    Lift what was forbidden with the same source and ports.

    source : every source
        As it was forbidden.

    ports : every port
        As they were forbidden.

    Returns a list of dicts, all that is still forbidden: ``source``, ``ports``, ``reason``.

    CLI Example:

    .. code-block:: bash

        salt db2 pinhole.lift source=198.51.100.0/24
    """
    with _told():
        entries = forbidden.remove(_state_dir(), forbidden.Entry(str(source), str(ports)))
        _note("pinholes no longer forbidden", source=str(source), ports=str(ports))
        return _shown(entries)


def allowed(source, port):
    """
    Tell whether a pinhole would be opened, or what forbids it.

    source
        The address that shall connect, or several: a list, or words with commas.

    port
        The tcp port of this host.

    Returns a dict: ``allowed``, ``reasons`` (a sentence for everything that forbids it).

    CLI Example:

    .. code-block:: bash

        salt db2 pinhole.allowed 192.0.2.10 4400
    """
    with _told():
        reasons = forbidden.refusals(forbidden.read(_state_dir()), _listed(source), port)
        return {"allowed": not reasons, "reasons": reasons}


# What they share.


@contextlib.contextmanager
def _told():
    """Our errors as Salt prints them: one sentence, no traceback."""
    try:
        yield
    except (HostToolError, PlanError) as error:
        raise CommandExecutionError(error.text) from error
    except OSError as error:
        raise CommandExecutionError(f"{error.filename or 'the host'}: {error.strerror}") from error


def _done(program):
    with _told():
        return commands.drive(program, process.run)


def _open(pinhole, lease):
    forbidden.check(_state_dir(), pinhole.sources, pinhole.port)
    found = commands.drive(firewall.survey(), process.run)
    firewall.check_openable(found)
    hole = firewall.with_chains(pinhole, found["chains"])
    _note("pinhole opened", tag=hole.tag, sources=list(hole.sources), port=hole.port, lease=lease)
    with _closed_on_failure(hole.tag):
        commands.drive(firewall.open(hole, lease), process.run)
    return {
        "tag": hole.tag,
        "sources": list(hole.sources),
        "port": hole.port,
        "lease": lease,
        "chains": found["chains"],
    }


@contextlib.contextmanager
def _closed_on_failure(tag):
    try:
        yield
    except HostToolError:
        with contextlib.suppress(HostToolError):
            commands.drive(firewall.close(tag), process.run)
        raise


def _note(what, **details):
    audit.note(_state_dir(), what, by="hand", **details)


def _openings(tag):
    found = commands.drive(firewall.openings(tag), process.run)
    return [opening for opening in found if opening.tag == tag]


def _listed(source):
    words = source.split(",") if isinstance(source, str) else source
    return tuple(str(word).strip() for word in words)


def _shown(entries):
    return [{"source": entry.source, "ports": entry.ports, "reason": entry.reason} for entry in entries]


def _state_dir():
    return settings.on_host({}, (), __pillar__.get("transfer"), __opts__.get("transfer")).state_dir
