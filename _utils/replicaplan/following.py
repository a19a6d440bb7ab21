"""Who follows whom among servers that belong together, and who may be their primary."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from .facts import Facts
from .target import is_writable_primary


def follows(other: Facts | None, told: Facts, host: str) -> bool:
    """Whether another server is a replica of this host."""
    return any(leads_to(channel, told, host) for channel in (other or {}).get("channels", ()))


def leads_to(channel: Facts, told: Facts, host: str) -> bool:
    """By an address, by the name of the minion, or by any name at which a server of that number answered."""
    places = [host, *(each.partition("/")[0] for each in told["networks"])]
    return channel["primary"] in places or bool(channel["primary_id"] and channel["primary_id"] == _number(told))


def _number(told: Facts) -> int:
    return int(told["variables"].get("server_id") or 0)


def unknown_followers(
    hosts: Sequence[str], host: str, told: Mapping[str, Facts], silent: Mapping[str, str]
) -> list[str]:
    """Why it is not known who follows a host that cannot tell so itself."""
    mute = [
        f"Nobody knows whether {name} follows {host}: {name} cannot be asked: {silent[name]}"
        for name in hosts
        if name in silent
    ]
    return mute + [
        f"{name} follows {channel['primary']}, and has not been connected since it started: that may be {host}."
        for name in hosts
        if name != host and name in told
        for channel in told[name]["channels"]
        if _may_be_anybody(channel, hosts)
    ]


def _may_be_anybody(channel: Facts, hosts: Sequence[str]) -> bool:
    """A name that is none of theirs, of a server that has not told its number yet."""
    return not channel["primary_id"] and channel["primary"] not in hosts and not _is_address(channel["primary"])


def _is_address(place: str) -> bool:
    try:
        ipaddress.ip_address(place)
    except ValueError:
        return False
    return True


def against_other_heads(
    primary: str, replicas: Sequence[str], host: str, told: Mapping[str, Facts], office: str
) -> list[str]:
    """Why the primary may not be the one that the configuration names. After a failover that one may come back,
    writable and with stale data, and whatever is made of it is equal to it.
    """
    others = [name for name in replicas if name != host and name in told]
    heads = [
        f"{name} is writable and follows nobody: it may be {office} now. A person has to look."
        for name in others
        if told[name]["running"] and is_writable_primary(told[name])
    ]
    astray = [name for name in [host, *others] if not _follows_directly(told[name], primary, told)]
    return heads + [
        f"{name} follows {channel['primary']} (server {channel['primary_id']}), which is not {primary}. A person has "
        "to look."
        for name in astray
        if name == host or not _is_relayed(told[name], others, astray, told)
        for channel in told[name]["channels"]
    ]


def _follows_directly(one: Facts, primary: str, told: Mapping[str, Facts]) -> bool:
    """Also of one that follows several. Who tells of no channel follows nobody else."""
    return not one["channels"] or not all(_leads_elsewhere(channel, primary, told) for channel in one["channels"])


def _leads_elsewhere(channel: Facts, primary: str, told: Mapping[str, Facts]) -> bool:
    """To a server of another number, or to another one of those that are known here."""
    if channel["primary_id"]:
        return bool(channel["primary_id"] != _number(told[primary]))
    return any(leads_to(channel, each, name) for name, each in told.items() if name != primary)


def _is_relayed(one: Facts, others: Sequence[str], astray: Sequence[str], told: Mapping[str, Facts]) -> bool:
    """Whether it follows a replica that follows the primary itself."""
    relays = [name for name in others if name not in astray and told[name]["channels"]]
    return any(follows(one, told[name], name) for name in relays)
