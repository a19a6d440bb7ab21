"""Clones of a database by us, and by hand: `./dev bench clones`. Real servers in the lab, a primary under write load.

    ./dev bench clones                             one round of all ways, the figures on the screen
    ./dev bench clones --rounds 2 --write-docs     two rounds more, into docs/clones.{json,md}; again to go on, or with
                                                   other --megabytes beside them
    ./dev bench clones --proofs 3 --write-docs     three clones more, each to its proof; nothing is timed beside them

`ours` is `salt-run replica.clone`, `hand` what an administrator types: `mariabackup --stream=xbstream | socat` on the
donor, `socat | mbstream -x` and `mariabackup --prepare` on the replica; for two replicas one after the other, and both
prepared at once. The clock runs from the command until every replica is extracted and prepared. What we do then
(exchange, start, replicate, prove) is told apart; by hand it is not done at all.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from lab import Lab
from lab.database import REPLICATION_PASSWORD
from lab.errors import LabError
from lab.replica_demo import PRIMARY, REPLICAS, Demo

from .clonepage import HAND, OURS, PROOFS, Row, page, proofs, table
from .errors import BenchError
from .machine import BUSY, CHECKOUT, EVERYTHING, about
from .parts import PeakByPart
from .record import Record, to_show

DOCS = CHECKOUT / "docs"
DATA = DOCS / "clones.json"
WAYS = ((HAND, 1), (OURS, 1), (HAND, 2), (OURS, 2))
MEGABYTES = 300
MEMORY = 128 << 20
"""For preparing, on both sides."""
THREADS = 4
"""Of mariabackup, on both sides."""
PORT = 4444
PLACE = "/srv/by-hand"
SECONDS = 280
INSTALL = "replica: install"
SHELL = ("bash", "-o", "pipefail", "-c")

TAKE = f"mkdir {PLACE} && socat -u TCP-LISTEN:{PORT},reuseaddr - | mbstream -x -C {PLACE}"
GIVE = (
    f"mariabackup --backup --stream=xbstream --parallel={THREADS} --target-dir=/tmp/by-hand 2>/tmp/by-hand.said "
    f"| socat -u - TCP:{{address}}:{PORT},retry=200,interval=0.05"
)
PREPARE = f"mariabackup --prepare --use-memory={MEMORY} --target-dir={PLACE} 2>&1 | tail -1 | grep -q 'completed OK!'"
OPEN = f"insert rule inet filter input tcp dport {PORT} accept"


class Field:
    """Three machines with servers; the two replicas follow nobody until they are cloned for the first time."""

    def __init__(self, lab, demo):
        self._lab, self._demo = lab, demo
        for name in REPLICAS:
            lab.machine(name).run(["nft", *OPEN.split()])

    def once(self, way, count):
        """One run: seconds until prepared, peak memory of each machine, and what else that way tells."""
        names = REPLICAS[:count]
        with PeakByPart({name: self._lab.machine(name).pid for name in (PRIMARY, *names)}) as peaks:
            began = time.monotonic()
            told = self._by_hand(names) if way == HAND else self._ours(names)
            took = told.pop("until") - began
        memory = peaks.until(told.pop("measured_until", time.monotonic()))
        self._clear(names)
        return {"seconds": round(took, 2), "memory": memory, **told}

    # By hand

    def _by_hand(self, names):
        began = time.monotonic()
        for name in names:
            self._stream(name)
        streamed = time.monotonic()
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(self._prepare, names))
        until = time.monotonic()
        return {"until": until, "steps": {"copy": round(streamed - began, 2), "prepare": round(until - streamed, 2)}}

    def _stream(self, name):
        target, source = self._lab.machine(name), self._lab.machine(PRIMARY)
        give = GIVE.format(address=target.ip)
        with target.popen([*SHELL, TAKE], stderr=subprocess.PIPE, text=True) as taking:
            source.run([*SHELL, give], timeout=SECONDS)
            if taking.wait(SECONDS):
                raise BenchError(f"{name} took no backup by hand: {taking.stderr.read()}")

    def _prepare(self, name):
        self._lab.machine(name).run([*SHELL, PREPARE], timeout=SECONDS)

    def _clear(self, names):
        for name in names:
            self._lab.machine(name).run(["sh", "-c", f"rm -rf {PLACE}; sync"])

    # Ours

    def _ours(self, names):
        wanted = {"confirm": list(names), "discard_own_writes": True, "keep_old": False, "memory": MEMORY}
        options = [f"{name}={json.dumps(value)}" for name, value in wanted.items()]
        before = self._written()
        argv = ["salt-run", "--config-dir=/etc/salt", "--out=json", "replica.clone", PRIMARY, ",".join(names), *options]
        with tempfile.TemporaryFile("w+") as printed:
            pipes = {"stdout": printed, "stderr": subprocess.PIPE, "text": True}
            with self._lab.master.popen(argv, **pipes) as process:
                until, said = _until_prepared(process.stderr)
            printed.seek(0)
            told = _report(printed.read(), said)
        written = self._written() - before
        return {"until": until, "measured_until": until, "written": written, **_of_report(told, names)}

    # All

    def proof(self, count):
        """A clone under load of so many replicas, not timed: whether all of them were proved, and what was compared."""
        try:
            told = self._ours(REPLICAS[:count])
        except BenchError as error:
            return failure(count, error)
        return {"replicas": count, **{name: told[name] for name in ("proved", "rows", "written", "steps")}}

    def _written(self):
        return int(self._demo.primary.value("SELECT MAX(id) FROM library.journal") or 0)


def failure(count, error):
    """A clone that came to no proof counts as one that was not proved."""
    return {"replicas": count, "proved": False, "rows": 0, "written": 0, "why": str(error)}


def _until_prepared(said):
    """When the first replica began to be installed: all were prepared then. And all that was said up to the end."""
    lines, until = [], None
    for line in said:
        lines.append(line)
        if until is None and line.startswith(INSTALL):
            until = time.monotonic()
    return until, "".join(lines)


def _report(text, said):
    try:
        told = json.loads(text)
    except ValueError:
        raise BenchError(f"replica.clone did not answer:\n{text}\n{said}") from None
    if told["result"] != "ok":
        raise BenchError(f"replica.clone: {told['result']}: {' '.join(told['reasons'])}")
    return told


def _of_report(told, names):
    proofs_of = [told["replicas"][name]["proof"] for name in names]
    return {
        "steps": told["seconds"],
        "phases": told["copy"].get("phases"),
        "bottleneck": told["copy"].get("bottleneck"),
        "proved": all(each["proved"] for each in proofs_of),
        "rows": min(each["compared"]["rows"] for each in proofs_of),
    }


@contextlib.contextmanager
def field(megabytes):
    """All that is measured, under load, for a while."""
    minion = {"replica": {"replication": {"user": "repl", "password": REPLICATION_PASSWORD}}}
    names = (PRIMARY, *REPLICAS)
    with Lab(minions=names, databases=names, minion_config=minion) as lab:
        demo = Demo(lab, megabytes)
        demo.build()
        with demo.under_load():
            yield Field(lab, demo)


def main(arguments):
    options = parser().parse_args(arguments)
    try:
        document = to_show(DATA, "./dev bench clones") if options.render else measure(options)
    except (BenchError, LabError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 70
    print("\n".join([*table(document), *proofs(document)]))
    if options.write_docs or options.render:
        (DOCS / "clones.md").write_text(page(document), encoding="utf-8")
    return 0


def parser():
    own = argparse.ArgumentParser(
        prog="./dev bench clones", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    own.add_argument("--megabytes", type=int, default=MEGABYTES, help="of data on the primary")
    own.add_argument("--rounds", type=int, default=1, help="of all ways, alternated")
    own.add_argument("--ways", default="", help="only these, such as hand1,ours1")
    own.add_argument("--proofs", type=int, default=0, metavar="N", help="only clones, each until it is proved")
    own.add_argument("--replicas", type=int, choices=(1, 2), help="of a clone of --proofs, else two and one")
    own.add_argument("--seconds", type=float, default=SECONDS, help="begin no run when so many are over")
    own.add_argument("--json", metavar="FILE", help="keep the figures there, and go on with what is there")
    own.add_argument("--fresh", action="store_true", help="begin the figures anew, whatever is there")
    own.add_argument("--write-docs", action="store_true", help="write docs/clones.{json,md}")
    own.add_argument("--render", action="store_true", help="measure nothing, write the page from docs/clones.json")
    return own


def measure(options):
    head = about({}, 0, "disk", EVERYTHING) | {"memory": MEMORY}
    record = Record(options.json or (DATA if options.write_docs else None), head, options.fresh)
    if head["load"] > BUSY:
        print(f"Others keep {head['load']} cores at work: take the figures for what they are.", file=sys.stderr)
    until = time.monotonic() + options.seconds
    with field(options.megabytes) as found:
        if options.proofs:
            _prove(record, found, options, until)
        else:
            _compare(record, found, options, until)
    return record.document


def _prove(record, found, options, until):
    for turn in range(options.proofs):
        if time.monotonic() < until:
            add(record, PROOFS, found.proof(options.replicas or 2 - turn % 2))


def _compare(record, found, options, until):
    """The first clone is no figure but a proof: it makes the replicas followers, as they are from then on."""
    wanted = [(way, count) for way, count in WAYS if not options.ways or f"{way}{count}" in options.ways.split(",")]
    add(record, PROOFS, found.proof(max(count for _, count in wanted)))
    for _ in range(options.rounds):
        for way, count in wanted:
            if time.monotonic() < until:
                _measure(record, found, Row(options.megabytes, count, way))


def _measure(record, found, row):
    try:
        add(record, row.key, found.once(row.way, row.replicas))
    except BenchError as error:
        if row.way == OURS:
            add(record, PROOFS, failure(row.replicas, error))
        raise


def add(record, key, run):
    record.put(key, {"runs": [*record.rows.get(key, {"runs": []})["runs"], run]})
    print(f"{key:>11}: {json.dumps(run)}", file=sys.stderr, flush=True)
