"""The check for leftovers: what a machine has now that it did not have before.

It believes only what ss, nft, iptables-save, ps, find and their like print, and what lies in the files of our state
directory, but nothing that our product says.

    before = Snapshot.of(machine)
    ...
    assert before.leftovers(machine) == []
"""
import re
import shlex
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from . import held
from .salt import CHECKOUT

STAGING = ".salt-transfer-*"
PATIENCE = 75
PAUSE = 0.25

# Salt, systemd and this check itself make and end these all the time. What bears a path as its name is a job of Salt
# that has ended and waits until the minion gets round to it.
RESTLESS_PROCESSES = re.compile(
    r"/lib/systemd/systemd-|/usr/bin/dbus-daemon|\(sd-|sh -c : looking for leftovers|ps -eo args|.*/lab/listener\.py"
    r"|.*/salt-master .*(Maintenance|FileServerUpdate)|\[/\S*\] <defunct>"
)
RESTLESS_FILES = re.compile(
    r"/run/(systemd|log|udev|dbus|salt|user|credentials|mount|host|utmp|xtables\.lock)(/(?!transient/.)|$)"
    r"|/run/(process_responsibility_)?salt-[^/]*\.pid$"
    r"|/var/(cache/salt|log|lib/systemd|lib/dbus)(/|$)"
    r"|/etc/(salt/pki|\.pwd\.lock|\.updated)"
    r"|/var/\.updated$"
)
RESTLESS_UNITS = re.compile(r"(systemd-|dbus|user-|session-|init\.scope|-\.|sys-|dev-|proc-|run-credentials)")
# Comments, and what an iptables table is made of before anybody has put anything into it.
EMPTY_RULE = re.compile(r"#|\*\w+$|COMMIT$|:[A-Z]+ ACCEPT\b")
SALT_PORTS = re.compile(r":(4505|4506)$")


def without_processes(line):
    """An ss line without its queues and process ids: protocol, state and addresses."""
    protocol, state, _, _, local, peer, *_ = line.split()
    return f"{protocol} {state} {local} {peer}"


def listening(line):
    yield without_processes(line)


def connected(line):
    """Connections that are neither Salt's own nor at their natural end."""
    _, state, _, _, local, peer = line.split()[:6]
    ours = SALT_PORTS.search(local) or SALT_PORTS.search(peer)
    if state not in ("TIME-WAIT", "LISTEN", "UNCONN") and not ours:
        yield without_processes(line)


def unix_listening(line):
    path = line.split()[4]
    if not path.startswith(("/run/systemd/", "/run/dbus/", "/var/run/salt/", "/run/salt/", "*")):
        yield path


def rule(line):
    """A line of a ruleset without counters, remaining times and comments of the tool itself."""
    line = re.sub(r"counter packets \d+ bytes \d+|\[\d+:\d+\]|\bexpires \w+|# handle \d+|\btimeout \d+$", "", line)
    if line.strip() and not EMPTY_RULE.match(line):
        yield " ".join(line.split())


def process(line):
    if not RESTLESS_PROCESSES.match(line):
        yield line


def unit(line):
    name = line.split()[0]
    if not RESTLESS_UNITS.match(name):
        yield name


def file(line):
    if not RESTLESS_FILES.match(line):
        yield line


def lock(line):
    """Kind, mode and inode of a held lock; the process that holds it is among the processes."""
    _, kind, _, mode, _, inode, *_ = line.split()
    yield f"{kind} {mode} on inode {inode}"


def as_it_is(line):
    if line.strip():
        yield line


@dataclass(frozen=True)
class Probe:
    """One question to a machine: the command, and what of each line is worth comparing."""

    what: str
    command: str
    reading: Callable
    losses_count: bool = False


WATCHED = "/tmp /var/tmp /dev/shm /run /root /home /opt /mnt /media /etc /var/lib /var/spool /var/cache /var/log"
STATE = "/var/lib/salt-transfer"
# Our own records, of which another probe tells what is held; the checkout, which every machine sees and other tests
# write caches into; and the many files of the host's package manager.
PASSED_OVER = (STATE, shlex.quote(str(CHECKOUT)), "/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt")
PRUNED = rf"\( -path {' -o -path '.join(PASSED_OVER)} \) -prune"
HELD = f"python3 -I -S -B {held.__file__}"
PROBES = (
    Probe("a listening socket", "ss -HOtulnp", listening, losses_count=True),
    Probe("a connection", "ss -HOtunap", connected),
    Probe("a listening unix socket", "ss -HOxlnp", unix_listening),
    Probe("a line of the nft ruleset", "nft -s list ruleset", rule, losses_count=True),
    Probe("a line of iptables-save", "iptables-save", rule, losses_count=True),
    Probe("a line of ip6tables-save", "ip6tables-save", rule, losses_count=True),
    Probe("a line of iptables-legacy-save", "iptables-legacy-save", rule, losses_count=True),
    Probe("a line of ip6tables-legacy-save", "ip6tables-legacy-save", rule, losses_count=True),
    Probe("a line of ipset save", "ipset save", rule, losses_count=True),
    Probe("a list of recent addresses", "find /proc/net/xt_recent -type f", as_it_is),
    Probe("a process", "ps -eo args --no-headers", process),
    Probe("a systemd unit", "systemctl list-units --all --plain --no-legend", unit),
    Probe("a mount", "findmnt --raw --noheadings --output TARGET", as_it_is),
    Probe("a lock", "cat /proc/locks", lock),
    Probe("a file", f"find / -maxdepth 1; find {WATCHED} {PRUNED} -o -print", file),
    Probe("a staging place", f"find /srv {WATCHED} {PRUNED} -o -name '{STAGING}' -print", as_it_is),
    Probe("something in our state directory", f"{HELD} {STATE} || echo one cannot look", as_it_is),
)
MARK = "==== next probe ===="


@dataclass(frozen=True)
class Snapshot:
    """What each probe found on a machine at one moment: {probe: Counter}."""

    found: dict

    @classmethod
    def of(cls, machine, probes=PROBES):
        """Look at a machine now."""
        asked = (f"{probe.command} 2>/dev/null; echo '{MARK}'" for probe in probes)
        script = "\n".join((": looking for leftovers", *asked))
        *answers, _ = machine.run(["sh", "-c", script]).stdout.split(f"{MARK}\n")
        return cls({probe: _read(probe, answer) for probe, answer in zip(probes, answers, strict=True)})

    def leftovers(self, machine, patience=PATIENCE, besides=frozenset()):
        """Sentences about all that differs from this snapshot and does not go away within `patience` seconds.

        Lines of `besides` may be there. While something is awaited only the probes are asked that found it; in the end
        all once more.
        """
        deadline, probes = time.monotonic() + patience, PROBES
        while True:
            differences = self.differences(machine.name, Snapshot.of(machine, probes), besides)
            if time.monotonic() > deadline or not (differences or probes is not PROBES):
                return list(chain.from_iterable(differences.values()))
            if differences:
                time.sleep(PAUSE)  # things end on their own: nothing tells us when
            probes = tuple(differences) or PROBES

    def differences(self, name, now, besides=frozenset()):
        """{probe: sentences} about what `now` has and this has not, and about rules and listeners that are gone."""
        told = {probe: list(self._differences(name, probe, now.found[probe], besides)) for probe in now.found}
        return {probe: sentences for probe, sentences in told.items() if sentences}

    def _differences(self, name, probe, after, besides):
        before = self.found[probe]
        for line in after - before:
            if line not in besides:
                yield f"{name} has {probe.what} that was not there before: {line}"
        if probe.losses_count:
            for line in before - after:
                yield f"{name} has lost {probe.what}: {line}"


def what_rests(machine):
    """The lines that are there because of data that rests in staging below /srv: they are no leftovers yet."""
    staged = machine.output("find", "/srv", "-maxdepth", "2", "-name", STAGING).splitlines()
    return frozenset(staged) | {held.resting(path.partition(STAGING[:-1])[2]) for path in staged}


def _read(probe, answer):
    return Counter(item for line in answer.splitlines() for item in probe.reading(line))
