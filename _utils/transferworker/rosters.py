"""Whether a roster is of the agreed form and fits the spec of this end: checked before anything of it is used."""

from collections.abc import Mapping

from datamover.errors import RosterMismatch

_MEMBER = {"host": str, "role": str, "addresses": list, "certificate": str}


def check(roster, spec, certificate, before):
    """RosterMismatch unless the roster is of this attempt and names this end's certificate and the expected peers."""
    troubles = list(_malformed(roster)) or _misfits(roster, spec, certificate)
    if before is not None:
        troubles.append("this end is armed with another one already")
    if troubles:
        raise RosterMismatch(f"the roster does not fit {spec['host']}: {'; '.join(troubles)}", troubles=troubles)


def _malformed(roster):
    if not isinstance(roster, Mapping) or not isinstance(roster.get("members"), list):
        yield "it has no list of members"
    elif not all(map(_is_member, roster["members"])):
        yield "it has members without host, role, addresses, port or certificate"


def _is_member(each):
    if not isinstance(each, Mapping) or not all(isinstance(each.get(name), kind) for name, kind in _MEMBER.items()):
        return False
    port = each.get("port", "missing")
    has_port = port is None or (isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536)
    return has_port and all(isinstance(address, str) for address in each["addresses"])


def _misfits(roster, spec, certificate):
    members = {(each["host"], each["role"]): each for each in roster["members"]}
    ours = spec["host"], spec["role"]
    expected = {ours, *((peer["host"], peer["role"]) for peer in spec["peers"])}
    troubles = [
        f"its {name} is {roster.get(name)!a}, not {spec[name]!r}"
        for name in ("transfer", "attempt", "epoch")
        if roster.get(name) != spec[name]
    ]
    if set(members) != expected or len(roster["members"]) != len(expected):
        troubles.append(f"it names {sorted(members)}, not {sorted(expected)}")
    elif members[ours]["certificate"] != certificate:
        troubles.append("it names another certificate for this end than the one made here")
    return troubles
