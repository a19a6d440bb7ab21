"""How fast the engine moves one incompressible file between two processes, beside socat on the same data.

    python bench/engine.py --size 1G                 over loopback, from and to a memory file system
    python bench/engine.py --namespaces              between two network namespaces (root)
    python bench/engine.py --destination /var/tmp    to a real disk
    python bench/engine.py --files 20000             a tree of files of 4 KiB instead (without socat)

This is for whoever changes the engine; ./dev bench is the full comparison. Our clock runs from being told to go, to all
verified and flushed. socat (TLS 1.3, both certificates checked) does less: it writes the file, which is not even
flushed. The two alternate; medians are shown. Processor seconds are those of both ends together and carry over to
other machines.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.data import SUSPECT_SECONDS, size_of, write_random, write_small_files  # noqa: E402
from bench.figures import Load, ratio, summary  # noqa: E402
from bench.network import UNSHAPED, Loopback, Namespaces, call  # noqa: E402
from bench.ours import SETTINGS, Ours  # noqa: E402
from bench.peers import PEERS  # noqa: E402
from bench.stage import Stage, directory_in  # noqa: E402
from bench.things import furnish  # noqa: E402
from bench.tool import Tool  # noqa: E402
from datamover import digests  # noqa: E402

SMALL = 4096


def main():
    options = parse()
    if options.namespaces and not options.inside:
        return enter_namespaces()
    if options.inside:
        call("mount", "-t", "tmpfs", "tmpfs", "/run")
    network = Namespaces() if options.inside else Loopback()
    temporary = tempfile.TemporaryDirectory
    with temporary(dir=options.source) as near, temporary() as things, network.over(UNSHAPED) as addresses:
        source, load = make_source(Path(near), options)
        furnish(things, things)
        measured = alternate(sides(options), options, (network, addresses, source, Path(things)))
    report({name: summary(runs, load) for name, runs in measured.items()}, options)
    return 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=size_of, default="1G", help="such as 256M or 4G")
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--source", default="/dev/shm", help="directory for the source file")
    parser.add_argument("--destination", default="/dev/shm", help="directory to receive into")
    parser.add_argument("--digest", choices=digests.available(), default=digests.available()[0])
    parser.add_argument("--verify", choices=("readback", "flight"), default="readback")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--compress", default="none", help="as the option of this name takes it")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a further setting, as JSON")
    parser.add_argument("--plain", action="store_true", help="without encryption, both sides")
    parser.add_argument("--alone", action="store_true", help="without socat")
    parser.add_argument("--namespaces", action="store_true", help="between two network namespaces; needs root")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def enter_namespaces():
    unshare = ["unshare", "-nmpf", "--kill-child", "--mount-proc", "--propagation", "private"]
    return subprocess.run([*unshare, sys.executable, *sys.argv, "--inside"], check=False).returncode


def make_source(near, options):
    source = near / "data"
    if options.files:
        write_small_files(source, options.files, SMALL, SMALL)
        load = Load(options.files * SMALL, options.files)
    else:
        write_random(source, options.size)
        load = Load(options.size)
    time.sleep(SUSPECT_SECONDS)
    return source, load


def sides(options):
    """Ours, and socat where it can take part."""
    yield Ours("salt-transfer", settings_of(options))
    if shutil.which("socat") and not (options.alone or options.files):
        yield Tool(PEERS["socat" if options.plain else "socat TLS"])


def settings_of(options):
    named = {name: getattr(options, name) for name in ("digest", "verify", "streams", "compress")}
    given = (text.partition("=") for text in options.set)
    return {**named, "encrypt": not options.plain, **{name: json.loads(value) for name, _, value in given}}


def alternate(sides, options, where):
    """Runs by side, after one round to warm up."""
    sides = list(sides)
    measured = {side.name: [] for side in sides}
    network, addresses, source, things = where
    for number in range(options.runs + 1):
        for side in sides:
            with directory_in(options.destination) as place:
                run = side.run(Stage(network, addresses, source, place, things))
            if number:
                measured[side.name].append(run)
    return measured


def report(rows, options):
    if options.json:
        settings = SETTINGS | settings_of(options)
        print(json.dumps({"size": options.size, "settings": settings, "sides": rows}, indent=1))
        return
    print(f"{'':16}{'MB/s':>8}{'files/s':>10}{'CPU s/GiB':>12}{'source':>9}{'destination':>13}{'MiB':>12}")
    for name, row in rows.items():
        print(f"{name:16}{line_of(row)}   runs {[round(rate) for rate in row['runs_mb_per_s']]}")
    if len(rows) == 2:
        print(f"ratio {ratio(*rows.values()):.2f}")


def line_of(row):
    cost = f"{row['processor_per_gib']:12.2f}{row['processor_per_gib_source']:9.2f}"
    memory = f"{row['memory_mib_source']:.0f}+{row['memory_mib_destination']:.0f}"
    files = f"{row['files_per_s'] or '':>10}"
    return f"{row['mb_per_s']:8.0f}{files}{cost}{row['processor_per_gib_destination']:13.2f}{memory:>12}"


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
