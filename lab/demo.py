"""The demonstration: one real copy between two machines, told step by step, and checked by tools that are not ours."""
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .lab import Lab
from .leftovers import Snapshot
from .network import run_tool

SYSTEM = "/usr"
LEAST_FILES = 10_000
LEAST_BYTES = 500_000_000
DESTINATION = "/srv/"
# A tree of the system has a few of these; they only travel when asked for.
OPTIONS = ("digest=sha256", "special=setuid,capabilities")
PROOF = "/srv/receipt.sha256"


@dataclass(frozen=True)
class Tree:
    """A directory of this machine, with the number and the sum of the sizes of its files."""

    path: str
    files: int
    size: int

    @property
    def real(self):
        return self.files >= LEAST_FILES and self.size >= LEAST_BYTES


def choose_tree():
    """The smallest tree on this machine that is a real one."""
    real = [tree for tree in trees_below(SYSTEM) if tree.real]
    if not real:
        raise LabError(f"No tree in {SYSTEM} has {LEAST_FILES} files and {LEAST_BYTES} bytes")
    return min(real, key=lambda tree: tree.size)


def trees_below(top):
    """Every directory below `top` as a Tree."""
    files, sizes = Counter(), Counter()
    for line in run_tool("find", top, "-xdev", "-type", "f", "-printf", r"%s %h\n").splitlines():
        size, _, place = line.partition(" ")
        for directory in (place, *map(str, Path(place).parents)):
            files[directory] += 1
            sizes[directory] += int(size)
    return [Tree(path, files[path], sizes[path]) for path in files if Path(path).is_relative_to(top)]


class Demo:
    """One copy of one tree from alpha to beta; gamma looks on."""

    def __init__(self, lab, tree):
        self.lab = lab
        self.tree = tree
        self.alpha, self.beta, self.gamma = (lab.machine(name) for name in lab.minions)
        self.source = tree.path
        self.target = DESTINATION + Path(tree.path).name
        self.copied = None

    def tell(self):
        """The whole story; raises LabError where it does not end as it should."""
        before = {name: Snapshot.of(machine) for name, machine in self.lab.machines.items()}
        self.show_firewall("before the copy")
        self.copy()
        self.show_receipt()
        self.show_firewall("after the copy")
        self.check_sums()
        self.check_with_rsync()
        self.check_leftovers(before)

    def show_firewall(self, when):
        say(f"The firewall of beta {when}")
        print(self.beta.output("nft", "list", "ruleset"), flush=True)

    def copy(self):
        say(f"Copying {self.tree.files} files, {self.tree.size / 1e6:.0f} MB, from alpha to beta")
        command = ["transfer.copy", f"src=alpha:{self.source}", f"dst=beta:{DESTINATION}", *OPTIONS]
        print("$ salt-run", *command, flush=True)
        argv = ["salt-run", "--config-dir=/etc/salt", "--log-level=error", "--out=json", *command]
        with self.lab.bus() as bus, tempfile.TemporaryFile("w+") as answer:
            process = self.lab.master.popen(argv, stdout=answer)
            self.look_while_it_runs(bus)
            process.wait()
            answer.seek(0)
            self.copied = json.load(answer)
        if self.copied["result"] != "ok":
            raise LabError(f"The copy did not succeed: {json.dumps(self.copied['reasons'], indent=4)}")

    def look_while_it_runs(self, bus):
        for tag, data in bus.events(timeout=120):
            if tag.startswith("salt/transfer/") and tag.endswith("/finished"):
                return
            if tag.startswith("salt/transfer/") and tag.endswith("/progress") and data.get("host") == "beta":
                break
        self.show_firewall("during the copy")
        for port in listening_ports(self.beta):
            print(f"gamma knocks at beta's port {port}: {self.knock(port)}", flush=True)

    def knock(self, port):
        target = f"TCP:{self.beta.ip}:{port},connect-timeout=1"
        answered = self.gamma.run(["socat", "-u", "OPEN:/dev/null", target], check=False).returncode == 0
        return "it opens" if answered else "no answer"

    def show_receipt(self):
        say("The receipt")
        print(json.dumps({key: self.copied[key] for key in ("result", "receipt", "phases")}, indent=4), flush=True)

    def check_sums(self):
        say("An independent check: alpha's receipt, with sha256sum on beta")
        transfer = self.copied["transfer"]
        self.lab.run_module("alpha", "checksum.receipt", transfer, PROOF, role="source")
        sums = self.alpha.output("cat", PROOF) + "\n"
        check = f"cd {self.target} && sha256sum --check --quiet -"
        print(f"$ lab-exec alpha cat {PROOF} | lab-exec beta sh -c '{check}'", flush=True)
        self.beta.run(["sh", "-c", check], input=sums, timeout=600)
        print(f"{len(sums.splitlines())} files are what alpha says they are")

    def check_with_rsync(self):
        say("An independent check: what would rsync still have to do?")
        options = ["-naHAXS", "--checksum", "--delete", "--itemize-changes"]
        print("$ rsync", *options, f"alpha:{self.source}/ beta:{self.target}/", flush=True)
        work = run_tool("rsync", *options, f"{self.alpha.path(self.source)}/", f"{self.beta.disk(self.target)}/")
        if work:
            raise LabError(f"rsync finds differences:\n{work}")
        print("nothing: bytes, owners, modes, times, links, ACLs and extended attributes are equal")

    def check_leftovers(self, before):
        say("What is left on the machines, by ss, nft, ps, find and the like")
        self.alpha.run(["rm", PROOF])
        left = [line for name, machine in self.lab.machines.items() for line in before[name].leftovers(machine)]
        if left:
            raise LabError("There are leftovers:\n" + "\n".join(left))
        print(f"nothing but the copy in beta:{self.target}")


def listening_ports(machine):
    """The TCP ports on which a machine listens."""
    lines = machine.output("ss", "-HOtln").splitlines()
    return sorted({int(line.split()[3].rpartition(":")[2]) for line in lines})


def say(title):
    print(f"\n=== {title}", flush=True)


def main():
    """Tell the story in a lab of its own."""
    return to_its_end(tell)


def tell():
    tree = choose_tree()
    say("Starting a private Salt: a master, and the minions alpha, beta and gamma, each a machine of its own")
    with Lab() as lab:
        Demo(lab, tree).tell()


def to_its_end(story):
    """The exit status of a demonstration whose story is told by calling `story`."""
    try:
        story()
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    say("Everything is taken down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
