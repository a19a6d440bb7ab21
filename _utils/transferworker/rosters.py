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
    has_port = port is None or (_is_number(port) and 0 < port < 65536)
    return has_port and _has_place(each) and all(isinstance(address, str) for address in each["addresses"])


def _has_place(each):
    """Whether what only members of a chain have is of the right form, where it is there."""
    origins = each.get("origins", {})
    told = isinstance(origins, Mapping) and all(isinstance(text, str) for item in origins.items() for text in item)
    return told and _is_number(each.get("leaf", 0)) and each.get("leaf", 0) >= 0


def _is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _misfits(roster, spec, certificate):
    members = {(each["host"], each["role"]): each for each in roster["members"]}
    ours = spec["host"], spec["role"]
    expected = _order(spec)
    troubles = [
        f"its {name} is {roster.get(name)!a}, not {spec[name]!r}"
        for name in ("transfer", "attempt", "epoch")
        if roster.get(name) != spec[name]
    ]
    if set(members) != set(expected) or len(roster["members"]) != len(expected):
        troubles.append(f"it names {sorted(members)}, not {sorted(expected)}")
    elif "fanout" in spec and list(members) != expected:
        troubles.append(f"its order is {list(members)}, not {expected}")
    elif members[ours]["certificate"] != certificate:
        troubles.append("it names another certificate for this end than the one made here")
    return troubles


def _order(spec):
    """Host and role of all members; in a chain they stand in this order."""
    ours, peers = (spec["host"], spec["role"]), [(peer["host"], peer["role"]) for peer in spec["peers"]]
    after = [(peer["host"], peer["role"]) for peer in spec.get("successors", ())]
    return [ours, *peers] if spec["role"] == "source" else [*peers, ours, *after]
