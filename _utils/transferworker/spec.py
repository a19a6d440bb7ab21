"""Whether a spec is of the agreed form: checked before anything is touched, and all that is wrong is told at once."""

import ipaddress
import re
from collections.abc import Mapping

from datamover import codecs, digests, selection
from datamover.disk import safepath, special
from datamover.errors import SpecInvalid, VersionMismatch
from datamover.flow import compressed
from datamover.host.rundir import ROLES
from datamover.version import VERSION
from hosttools import hotbackup

from . import niceness, probes

FORMAT = 1
PROJECT = "salt-transfer"
KIB = 1024
MOST_PROBED = 2 * KIB**3
CHAIN = "chain"
"""How one source serves many destinations: each passes on to the next what has landed."""
_ABSENT = object()


def check(spec, minion):
    """Raise SpecInvalid or VersionMismatch unless `spec` is one for this minion that this version can carry out."""
    if not isinstance(spec, Mapping):
        raise SpecInvalid("a spec is a mapping")
    if spec.get("version") != VERSION:
        raise VersionMismatch(
            f"the spec was made by salt-transfer {spec.get('version')!r}, {minion} has {VERSION}; "
            "bring both to one version"
        )
    rules = _rules(minion)
    troubles = [f"{name} must be {words}" for name, is_right, words in rules if not _fits(spec, name, is_right)]
    if not troubles:
        troubles = list(_contradictions(spec))
    if troubles:
        raise SpecInvalid(f"the spec is not of the agreed form: {'; '.join(troubles)}", troubles=troubles)


def _fits(spec, name, is_right):
    value = spec
    for key in name.split("."):
        value = value.get(key, _ABSENT) if isinstance(value, Mapping) else _ABSENT
    return is_right(value)


def _absent_or(is_right):
    return lambda value: value is _ABSENT or is_right(value)


def _rules(minion):
    yield "format", lambda value: value == FORMAT, str(FORMAT)
    yield "project", lambda value: value == PROJECT, PROJECT
    yield "transfer", _identifier, "32 hexadecimal digits"
    yield "dataset", _identifier, "32 hexadecimal digits"
    for name in ("attempt", "generation", "epoch"):
        yield name, _whole(1), "a number from 1"
    yield "leaf", _whole(0), "a number from 0"
    yield "role", _one_of(*ROLES), " or ".join(ROLES)
    yield "host", lambda value: value == minion, minion
    yield "path", _plain_path, "an absolute path, encoded, without . and .. and not the root"
    yield "expect.bytes", _whole(0), "a number from 0"
    yield "expect.entries", _whole(0), "a number from 0"
    yield "expect.held", _whole(0), "a number from 0"
    yield "listen", lambda value: value is None or _listen(value), "null or addresses, port and ports"
    yield "peers", _list_of(_peer), "a list of host, role and addresses"
    yield "fanout", _absent_or(_one_of(CHAIN)), f"{CHAIN}, or absent"
    yield "successors", _absent_or(_list_of(_peer, least=0)), "a list of host, role and addresses, or absent"
    yield "stream", _absent_or(_stream), "what its type of stream needs, or absent"
    yield "firewall.backend", _is(str), "a name"
    yield "asked_by", _is(Mapping), "a mapping of user and via"
    yield "given", _is(Mapping), "a mapping of options"
    yield "firewall.chains", _list_of(_is(Mapping), least=0), "a list of chains"
    yield from _setting_rules()


def _setting_rules():
    settings = {
        "digest": (_one_of(*digests.available()), " or ".join(digests.available())),
        "verify": (_one_of("readback", "flight"), "readback or flight"),
        "encrypt": (_is(bool), "true or false"),
        "overwrite": (_is(bool), "true or false"),
        "update": (_is(bool), "true or false"),
        "in_place": (_is(bool), "true or false"),
        "compare": (_one_of("time", "digest"), "time or digest"),
        "delete": (_is(bool), "true or false"),
        "delete_limit": (_portion, "a number from 0, or a share such as 50%"),
        "keep_partial": (_whole(0), "seconds from 0"),
        "compress": (_compression, f"auto, none or {' or '.join(codecs.available())}, with a level if any"),
        "limit": (_whole(0), "bytes a second, 0 for no limit"),
        "nice": (_one_of(*niceness.LEVELS), " or ".join(niceness.LEVELS)),
        "streams": (_whole(1, 64), "a number from 1 to 64"),
        "block_size": (_whole(64 * KIB, 64 * KIB * KIB), "a number of bytes from 64 KiB to 64 MiB"),
        "owners": (_one_of("names", "numbers"), "names or numbers"),
        "special": (_list_of(_one_of(*special.NAMES), least=0), f"a list of {', '.join(special.NAMES)}"),
        "include": (_patterns(), "a list of patterns"),
        "exclude": (_patterns(with_exceptions=True), "a list of patterns"),
        "lease": (_whole(1, 86400), "seconds from 1 to 86400"),
        "stall_timeout": (_whole(1), "seconds from 1"),
        "reserve_bytes": (_whole(0), "a number from 0"),
        "reserve_inodes": (_whole(0), "a number from 0"),
    }
    for name, (is_right, words) in settings.items():
        yield f"settings.{name}", is_right, words


def _contradictions(spec):
    if (spec["listen"] is None) != (spec["role"] == "source"):
        yield "a destination listens and a source does not"
    if "stream" in spec:
        yield from _contradictions_of_stream(spec)
    yield from _contradictions_in_chain(spec) if "fanout" in spec else _contradictions_of_two(spec)


def _contradictions_of_two(spec):
    if any(peer["role"] == spec["role"] for peer in spec["peers"]):
        yield "no peer has our own role"
    if spec.get("successors"):
        yield "only a chain has successors"


def _contradictions_in_chain(spec):
    """Peers of a destination are all members before it, the source first; those of the source are all destinations."""
    before, after = spec["peers"], spec.get("successors", ())
    roles = [peer["role"] for peer in before]
    hosts = [spec["host"], *(peer["host"] for peer in (*before, *after))]
    if len(set(hosts)) != len(hosts):
        yield "each host is in a chain once"
    if spec["role"] == "destination" and roles != ["source", *["destination"] * spec["leaf"]]:
        yield f"the peers of destination {spec['leaf']} of a chain are the source and the destinations before it"
    if spec["role"] == "source" and (set(roles) != {"destination"} or after):
        yield "the peers of the source of a chain are all its destinations, and it has no successors"
    if any(peer["role"] != "destination" for peer in after):
        yield "successors are destinations"


_STREAMS = {
    "xtrabackup": {
        "tool": lambda value: _one_of(*hotbackup.NAMES)(value),
        "unpacker": lambda value: _one_of(*hotbackup.UNPACKERS.values())(value),
        "vendor": lambda value: _one_of(*hotbackup.TOOLS)(value),
        "server_version": lambda value: _is(str)(value),
        "datadir": lambda value: _plain_path(value),
        "parallel": lambda value: _whole(1, 64)(value),
        "slave_info": lambda value: _is(bool)(value),
        "stop_replication": lambda value: _is(bool)(value),
        "keep_stream": lambda value: _is(bool)(value),
    },
    "probe": {
        "seconds": lambda value: _whole(1, 10)(value),
        "bytes": lambda value: _whole(1, MOST_PROBED)(value),
    },
    "decompress": {
        "format": lambda value: _one_of(*compressed.SUFFIXES.values())(value),
        "expect": lambda value: _one_of("", "backup")(value),
    },
}


def _stream(value):
    """Exactly what its type needs."""
    if not isinstance(value, Mapping) or not _one_of(*_STREAMS)(value.get("type")):
        return False
    rules = _STREAMS[value["type"]]
    return {*value} == {"type", *rules} and all(is_right(value[name]) for name, is_right in rules.items())


def _contradictions_of_stream(spec):
    settings = spec["settings"]
    if probes.is_probe(spec) and ("fanout" in spec or len(spec["peers"]) != 1):
        yield "a probe is of the way between two hosts"
    if settings["verify"] != "flight":
        yield "a stream is proved in flight"
    if settings["in_place"] or settings["overwrite"]:
        yield "a stream goes to a place where nothing is"
    if spec["attempt"] != 1 or settings["keep_partial"]:
        yield "a stream cannot be gone on with, so nothing of it is kept"


def _portion(value):
    if isinstance(value, str):
        return re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?%", value) is not None
    return _whole(0)(value)


def _is(kind):
    return lambda value: isinstance(value, kind)


def _one_of(*words):
    return lambda value: isinstance(value, str) and value in words


def _whole(low, high=2**63):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _list_of(is_right, least=1):
    return lambda value: isinstance(value, (list, tuple)) and len(value) >= least and all(map(is_right, value))


def _patterns(with_exceptions=False):
    """A list of patterns, few enough to stand beside another such list."""

    def is_right(value):
        return len(value) <= selection.MOST // 2 and all(is_pattern(each) for each in value)

    def is_pattern(text):
        try:
            selection.check(text, with_exceptions)
        except ValueError:
            return False
        return True

    return lambda value: _list_of(_is(str), least=0)(value) and is_right(value)


def _identifier(value):
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value) is not None


def _compression(value):
    name, colon, level = str(value).partition(":")
    if not colon:
        return name in ("auto", "none", *codecs.available())
    low, high, _ = codecs.LEVELS.get(name, (1, 0, 0))
    return name in codecs.available() and level.isdecimal() and low <= int(level) <= high


def _plain_path(value):
    try:
        path = safepath.decode_path(value)
    except (ValueError, TypeError, AttributeError):
        return False
    parts = path.split(b"/")[1:]
    return path.startswith(b"/") and b"\0" not in path and all(part not in (b"", b".", b"..") for part in parts)


def _address(value):
    try:
        return isinstance(value, str) and bool(ipaddress.ip_address(value))
    except ValueError:
        return False


def _listen(value):
    if not isinstance(value, Mapping):
        return False
    ports = value.get("ports")
    return (
        _list_of(_address)(value.get("addresses"))
        and _whole(0, 65535)(value.get("port"))
        and _list_of(_whole(1, 65535))(ports)
        and len(ports) == 2
        and ports[0] <= ports[1]
    )


def _peer(value):
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("host"), str)
        and _one_of(*ROLES)(value.get("role"))
        and _list_of(_address)(value.get("addresses"))
    )
