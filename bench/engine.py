"""How fast the engine moves one incompressible file between two processes, beside socat on the same data.

    python bench/engine.py --size 1G                 over loopback, from and to a memory file system
    python bench/engine.py --namespaces              between two network namespaces (root)
    python bench/engine.py --destination /var/tmp    to a real disk
    python bench/engine.py --files 20000             a tree of files of 4 KiB instead (without socat)

The figure of ours runs from the first byte that moves to all verified and flushed. socat (TLS 1.3, both certificates
checked) does less: it writes the file and the file is then flushed; nothing is digested and nothing is read back. The
two alternate; medians are shown. Processor seconds are those of both ends together and carry over to other machines.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_utils"))

from datamover import digests
from datamover.disk.journal import Journal  # noqa: E402
from datamover.disk.staging import Staging  # noqa: E402
from datamover.disk.tree import SourceTree  # noqa: E402
from datamover.engine import channel  # noqa: E402
from datamover.engine.progress import Progress  # noqa: E402
from datamover.engine.receiver import Receiver  # noqa: E402
from datamover.engine.sender import Sender  # noqa: E402
from datamover.engine.stop import Stop  # noqa: E402

TRANSFER = "be" * 16
GIB = 1 << 30
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": GIB}
SMALL = 4096
SUSPECT_SECONDS = 2.5
"""Files that young are read twice by the source; a benchmark is not about that."""
SOURCE_SPACE, DESTINATION_SPACE = "bench-source", "bench-destination"


def main():
    options = parse()
    if options.end:
        return be_an_end(options.end)
    if options.namespaces and not options.inside:
        return enter_namespaces()
    network = Namespaces() if options.inside else Loopback()
    folder = tempfile.TemporaryDirectory
    with folder(dir=options.source) as near, folder(dir=options.destination) as far:
        source = make_source(Path(near) / "data", options)
        sides = {"salt-transfer": lambda: run_ours(network, source, Path(far), options)}
        if shutil.which("socat") and not (options.alone or options.files):
            sides["socat"] = lambda: run_socat(network, source, Path(far), options)
        report(alternate(sides, options.runs), options)
    return 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=size_of, default=GIB, help="such as 256M or 4G")
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--source", default="/dev/shm", help="directory for the source file")
    parser.add_argument("--destination", default="/dev/shm", help="directory to receive into")
    parser.add_argument("--digest", choices=digests.available(), default=digests.available()[0])
    parser.add_argument("--verify", choices=("readback", "flight"), default="readback")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="without encryption, both sides")
    parser.add_argument("--alone", action="store_true", help="without socat")
    parser.add_argument("--namespaces", action="store_true", help="between two network namespaces; needs root")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--end", choices=("source", "destination"), help=argparse.SUPPRESS)
    return parser.parse_args()


def size_of(text):
    return int(float(text[:-1]) * UNITS[text[-1].upper()]) if text[-1].upper() in UNITS else int(text)


def make_source(path, options):
    """Incompressible bytes, written a while ago."""
    if options.files:
        options.size = options.files * SMALL
        make_tree(path, options.files)
    else:
        make_file(path, options.size)
    time.sleep(SUSPECT_SECONDS)
    return path


def make_file(path, size):
    portion = os.urandom(16 << 20)
    with open(path, "wb") as out:
        for at in range(0, size, len(portion)):
            out.write(portion[: min(len(portion), size - at)])


def make_tree(path, files):
    for number in range(files):
        folder = path / f"d{number // 200}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}").write_bytes(os.urandom(SMALL))


def alternate(sides, runs):
    """Measurements by side, after one round to warm up."""
    measured = {name: [] for name in sides}
    for number in range(runs + 1):
        for name, run in sides.items():
            figures = run()
            if number:
                measured[name].append(figures)
    return measured


# Networks


class Loopback:
    source_address = destination_address = "127.0.0.1"

    def at(self, _end, argv):
        return argv


class Namespaces:
    """Two network namespaces joined by a pair of virtual interfaces, inside of a namespace of our own."""

    source_address, destination_address = "10.99.0.1", "10.99.0.2"

    def __init__(self):
        call("mount", "-t", "tmpfs", "tmpfs", "/run")
        for name in (SOURCE_SPACE, DESTINATION_SPACE):
            call("ip", "netns", "add", name)
        one_end, other_end = ("left", "netns", SOURCE_SPACE), ("right", "netns", DESTINATION_SPACE)
        call("ip", "link", "add", "name", *one_end, "type", "veth", "peer", "name", *other_end)
        self._bring_up(SOURCE_SPACE, "left", self.source_address)
        self._bring_up(DESTINATION_SPACE, "right", self.destination_address)

    @staticmethod
    def _bring_up(name, link, address):
        call("ip", "-n", name, "address", "add", f"{address}/24", "dev", link)
        call("ip", "-n", name, "link", "set", link, "up")

    def at(self, end, argv):
        return ["ip", "netns", "exec", SOURCE_SPACE if end == "source" else DESTINATION_SPACE, *argv]


def enter_namespaces():
    unshare = ["unshare", "-nmpf", "--kill-child", "--mount-proc", "--propagation", "private"]
    return subprocess.run([*unshare, sys.executable, *sys.argv, "--inside"], check=False).returncode


def call(*argv):
    subprocess.run(argv, check=True)


# Ours: each end is this program again, told what to do on its standard input


def run_ours(network, source, folder, options):
    command = [sys.executable, str(Path(__file__).resolve()), "--end"]
    ends = {role: start(network, role, [*command, role]) for role in ("destination", "source")}
    addresses = {"source": network.source_address, "destination": network.destination_address}
    paths = {"source": source, "destination": folder / "final"}
    for role, end in ends.items():
        say(end, {"address": addresses[role], "path": str(paths[role]), "settings": settings_of(options)})
    members = [{**hear(ends[role]), "addresses": [addresses[role]]} for role in ("source", "destination")]
    for role in ("destination", "source"):
        say(ends[role], {"transfer": TRANSFER, "attempt": 1, "epoch": 1, "members": members})
    results = {role: hear(end) for role, end in ends.items()}
    for end in ends.values():
        end.wait()
    troubles = [result["error"] for result in results.values() if result["error"]]
    if troubles:
        raise SystemExit(f"the transfer failed: {troubles}")
    seconds = results["destination"]["seconds"]
    return {"seconds": seconds["move"] + seconds["verify"], **{role: results[role]["cpu"] for role in results}}


def settings_of(options):
    chosen = {"digest": options.digest, "verify": options.verify, "streams": options.streams}
    return {**chosen, "encrypt": not options.plain, "block_size": 4 << 20, "lease": 30, "stall_timeout": 60}


def start(network, end, argv):
    return subprocess.Popen(network.at(end, argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def say(end, document):
    end.stdin.write(json.dumps(document).encode() + b"\n")
    end.stdin.flush()


def hear(end):
    line = end.stdout.readline()
    if not line:
        raise SystemExit("one end died; see above")
    return json.loads(line)


def be_an_end(role):
    """Be one end of a transfer: say who we are, hear the roster, move, say how it went."""
    order = json.loads(sys.stdin.readline())
    identity = channel.make_identity(role)
    listener = channel.bind([order["address"]], 0, [20000, 30000]) if role == "destination" else None
    port = listener and listener.getsockname()[1]
    print(json.dumps({"host": role, "role": role, "port": port, "certificate": identity.certificate}), flush=True)
    roster = json.loads(sys.stdin.readline())
    place = {"transfer": TRANSFER, "attempt": 1, "dataset": TRANSFER, "generation": 1, "epoch": 1, "leaf": 0}
    spec = {**place, "role": role, "host": role, "settings": order["settings"]}
    path, journal, progress = os.fsencode(order["path"]), Journal(""), Progress()
    if role == "source":
        end = Sender(spec, roster, identity, SourceTree(path, journal), journal, progress, Stop())
    else:
        staging = Staging.create(path, TRANSFER, {}, journal, special=())
        end = Receiver(spec, roster, identity, listener, staging, journal, progress, Stop(), lambda: None)
    before = cpu_seconds(resource.RUSAGE_SELF)
    outcome = end.run()
    cpu = cpu_seconds(resource.RUSAGE_SELF) - before
    error = outcome.error and outcome.error.text
    print(json.dumps({"seconds": outcome.seconds, "cpu": cpu, "error": error}), flush=True)
    if role == "destination":
        staging.remove()
    return 0


def cpu_seconds(who):
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


# socat


def run_socat(network, source, folder, options):
    identity = channel.make_identity("bench")
    pem, port, target = folder / "socat.pem", free_port(), folder / "socat.out"
    Path(pem).write_bytes(Path(f"/proc/self/fd/{identity._memory}").read_bytes())
    kind = ("TCP-LISTEN", "TCP") if options.plain else ("OPENSSL-LISTEN", "OPENSSL")
    tls = "" if options.plain else f",cert={pem},cafile={pem},verify=1,openssl-min-proto-version=TLS1.3"
    name = "" if options.plain else ",commonname=bench"
    accept = f"{kind[0]}:{port},bind={network.destination_address},reuseaddr{tls}"
    connect = f"{kind[1]}:{network.destination_address}:{port},retry=100,interval=0.02{tls}{name}"
    receiver = start(network, "destination", ["socat", "-u", "-b", "262144", accept, f"CREATE:{target}"])
    time.sleep(0.3)
    began = time.monotonic()
    sender = start(network, "source", ["socat", "-u", "-b", "262144", f"FILE:{source}", connect])
    cpu = {"source": reap(sender), "destination": reap(receiver)}
    call("sync", "--data", str(target))
    seconds = time.monotonic() - began
    if target.stat().st_size != source.stat().st_size:
        raise SystemExit("socat did not move the whole file")
    target.unlink()
    return {"seconds": seconds, **cpu}


def reap(process):
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{process.args} ended with {status}")
    return used.ru_utime + used.ru_stime


def free_port():
    with channel.bind(["127.0.0.1"], 0, [20000, 30000]) as listener:
        return listener.getsockname()[1]


# Figures


def report(measured, options):
    gib = options.size / GIB
    rows = {name: summary(runs, options.size, gib) for name, runs in measured.items()}
    if options.json:
        print(json.dumps({"size": options.size, "settings": settings_of(options), "sides": rows}, indent=1))
        return
    print(f"{'':16}{'MB/s':>8}{'CPU s/GiB':>12}{'source':>9}{'destination':>13}")
    for name, row in rows.items():
        figures = f"{row['mb_per_s']:8.0f}{row['cpu_per_gib']:12.2f}{row['source_cpu_per_gib']:9.2f}"
        print(f"{name:16}{figures}{row['destination_cpu_per_gib']:13.2f}   runs {row['runs_mb_per_s']}")
    if options.files:
        print(f"{options.files * rows['salt-transfer']['mb_per_s'] * 1e6 / options.size:.0f} files/s")
    if len(rows) == 2:
        print(f"ratio {rows['salt-transfer']['mb_per_s'] / rows['socat']['mb_per_s']:.2f}")


def summary(runs, size, gib):
    def median(value):
        return statistics.median(map(value, runs))

    return {
        "mb_per_s": round(size / 1e6 / median(lambda run: run["seconds"]), 1),
        "cpu_per_gib": round(median(lambda run: run["source"] + run["destination"]) / gib, 3),
        "source_cpu_per_gib": round(median(lambda run: run["source"]) / gib, 3),
        "destination_cpu_per_gib": round(median(lambda run: run["destination"]) / gib, 3),
        "runs_mb_per_s": [round(size / 1e6 / run["seconds"]) for run in runs],
    }


if __name__ == "__main__":
    sys.exit(main())
