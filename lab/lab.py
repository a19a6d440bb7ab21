"""The lab: machines, their network and their Salt as one thing that is there for the length of a `with`.

    with Lab(minions=("alpha", "beta")) as lab:
        lab.run_runner("transfer.copy", src="alpha:/srv/a", dst="beta:/srv/").data
        lab.machine("beta").run(["ls", "/srv/a"])
        lab.reboot("beta")

Its directory holds all its state, so that other processes (lab-exec, lab-reboot) find the running lab by $LAB_HOME.
"""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from . import database
from . import salt as lab_salt
from .bus import Bus
from .errors import LabError
from .furniture import furnish
from .home import new_control_group, new_home, remove_control_group, remove_home
from .machine import BIN, Machine
from .network import Network, run_tool

MINIONS = ("alpha", "beta", "gamma")
MASTER = "master"
MASTER_NUMBER = 2
FIRST_MINION_NUMBER = 11
HOME_VARIABLE = "LAB_HOME"


@dataclass(frozen=True)
class Result:
    """What a Salt command printed and how it ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def data(self):
        """The returned data: stdout as JSON."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise LabError(f"This is not JSON (status {self.returncode}):\n{self.stdout}\n{self.stderr}") from error


@dataclass(frozen=True)
class Plan:
    """What a lab is to consist of. `salt` None means machines alone; `firewall` names one for all or one per minion.

    The minions named in `databases` have a MariaDB of their own, which does not run yet.
    """

    minions: tuple = MINIONS
    salt: str | None = lab_salt.NEWEST
    install: str = "checkout"
    firewall: str | dict = "nft"
    databases: tuple = ()
    master_config: dict | None = None
    minion_config: dict | None = None

    def __post_init__(self):
        if self.install not in lab_salt.INSTALLS:
            raise LabError(f"install={self.install!r} is none of {', '.join(lab_salt.INSTALLS)}")

    @property
    def names(self):
        return (MASTER, *self.minions) if self.salt else tuple(self.minions)

    def number(self, name):
        """The host number of a machine."""
        return MASTER_NUMBER if name == MASTER else FIRST_MINION_NUMBER + self.minions.index(name)

    def firewall_of(self, name):
        return self.firewall if isinstance(self.firewall, str) else self.firewall.get(name, "nft")


class Lab:
    """Master and minions on machines of their own. The arguments are those of Plan."""

    def __init__(self, **plan):
        self.plan = Plan(**plan)
        self.home = self.network = self.machines = None
        self._daemons = {}
        self._undo = ExitStack()

    @classmethod
    def running(cls, home=None):
        """The lab that runs already, by its directory or by $LAB_HOME."""
        home = home or os.environ.get(HOME_VARIABLE)
        if not home:
            raise LabError("No lab runs here ($LAB_HOME is not set): start one by ./dev lab")
        settings = json.loads(Path(home, "lab.json").read_text())
        lab = cls(minions=tuple(settings["minions"]), salt=settings["salt"], install=settings["install"])
        lab._take(Path(home), Network(settings["network"]), Path(settings["cgroup"]))
        return lab

    # -- its life -----------------------------------------------------------------------------------------------------

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Build the network, boot all machines at once and wait until every minion has reported."""
        with ExitStack() as self._undo:
            self._build()
            with ThreadPoolExecutor(len(self.machines)) as pool:
                list(pool.map(Machine.boot, self.machines.values()))
            if self.plan.salt:
                self._start_salt()
            self._undo = self._undo.pop_all()

    def stop(self):
        """Cut the power of every machine and remove all traces."""
        self._undo.close()

    def _build(self):
        home = new_home()
        self._undo.callback(remove_home, home)
        cgroup = new_control_group(home)
        self._undo.callback(subprocess.run, ["umount", home / "cgroup"], check=True)
        self._undo.callback(remove_control_group, cgroup)
        network = Network.free()
        self._undo.callback(network.remove)
        network.build()
        self._take(home, network, cgroup)
        self._write_settings()
        self._create_machines()

    def _take(self, home, network, cgroup):
        self.home, self.network, self._cgroup = home, network, cgroup
        self.machines = {
            name: Machine(name, home / "machines" / name, network, cgroup / name) for name in self.plan.names
        }

    def _write_settings(self):
        settings = {
            "minions": self.minions, "salt": self.plan.salt, "install": self.plan.install,
            "network": self.network.number, "cgroup": str(self._cgroup),
        }
        (self.home / "lab.json").write_text(json.dumps(settings))
        (self.home / "names").write_text(f"{' '.join(self.machines)}\n")
        (self.home / "minions").write_text("".join(f"{name}\n" for name in self.minions))
        (self.home / "salt-bin").write_text(f"{self._salt_bin}\n")

    def _create_machines(self):
        for name, machine in self.machines.items():
            trees = self._trees if name in self.plan.databases else ()
            machine.create(self.plan.number(name), self._shared_directories(), trees)
            self._undo.callback(machine.cut_power)
        for name, machine in self.machines.items():
            furnish(machine, self._hosts(), self.plan.firewall_of(name), self._services(name))
            if name in self.plan.databases:
                database.install(machine, self.plan.number(name))
            if self.plan.salt:
                self._install_salt(machine)

    @cached_property
    def _trees(self):
        """MariaDB, in memory: as a layer below a machine it may not lie on the file system of the host's own /."""
        place = self.home / "mariadb"
        place.mkdir()
        run_tool("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(place))
        self._undo.callback(run_tool, "umount", "--lazy", str(place))
        run_tool("cp", "-a", f"{database.tree()}/.", str(place))
        return (place,)

    def _services(self, name):
        if name == MASTER:
            return lab_salt.MASTER_SERVICES
        return (database.PORT,) if name in self.plan.databases else ()

    @cached_property
    def _salt_bin(self):
        """The commands of the machines' Salt; without Salt those of our own Python."""
        return lab_salt.salt_directory(self.plan.salt) if self.plan.salt else Path(sys.prefix, "bin")

    def _shared_directories(self):
        """The checkout, the machines' Salt and the Python below it, unless they are in /usr as for everybody."""
        base = (self._salt_bin / "python3").resolve().parent.parent
        places = {lab_salt.CHECKOUT, self._salt_bin.parent, base}
        return sorted(str(place) for place in places if place != Path("/usr"))

    def _hosts(self):
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        for name, machine in self.machines.items():
            lines += [f"{address} {name}" for address in machine.addresses["front"]]
        return "".join(f"{line}\n" for line in lines)

    def _install_salt(self, machine):
        plan = self.plan
        if machine.name == MASTER:
            daemon, config = lab_salt.MASTER, lab_salt.master_config(plan.install, plan.master_config or {})
            if plan.install == "file_roots":
                lab_salt.install_code(machine)
        else:
            daemon = lab_salt.MINION
            config = lab_salt.minion_config(machine.name, self.master.ip, plan.install, plan.minion_config or {})
        lab_salt.install_daemon(machine, daemon, config, self._salt_bin)

    # -- its Salt -----------------------------------------------------------------------------------------------------

    def _start_salt(self):
        self.daemon(MASTER).start()
        with self.bus() as bus, ThreadPoolExecutor(len(self.minions)) as pool:
            list(pool.map(lambda name: self.daemon(name).start(), self.minions))
            bus.await_start(self.minions)

    def daemon(self, name):
        """The salt-master or salt-minion on a machine, as a daemon factory of pytest-salt-factories."""
        from . import daemons  # imports Salt, which a lab of machines alone can do without

        if name not in self._daemons:
            make = daemons.master if name == MASTER else daemons.minion
            self._daemons[name] = make(self.machine(name), self.environment())
        return self._daemons[name]

    def command(self, name, minion=None):
        """salt, salt-run, salt-call (on `minion`) or salt-key, as a command factory of pytest-salt-factories."""
        from . import daemons  # see above

        return daemons.command(name, self.machine(minion or MASTER), self.environment())

    def bus(self):
        """The master's event bus as a context manager; subscribed before the first line of the `with`."""
        return Bus(self.master)

    def run_runner(self, function, *arguments, timeout=300, **options):
        """Run a runner by `salt-run --out=json`; gives a Result, whose `data` is what the runner returned."""
        return self._run_salt(self.master, ["salt-run", function], arguments, options, timeout)

    def run_module(self, minion, function, *arguments, timeout=300, **options):
        """Run an execution module by `salt`; gives a Result, whose `data` is {minion: return}."""
        return self._run_salt(self.master, ["salt", "--static", minion, function], arguments, options, timeout)

    def call_local(self, minion, function, *arguments, timeout=300, **options):
        """Run an execution module by `salt-call` on the minion itself; `data` is {"local": return}."""
        return self._run_salt(self.machine(minion), ["salt-call", function], arguments, options, timeout)

    def _run_salt(self, machine, command, arguments, options, timeout):
        program, *rest = command
        argv = [program, f"--config-dir={lab_salt.CONFIG_DIRECTORY}", "--out=json", *rest]
        done = machine.run([*argv, *salt_arguments(arguments, options)], check=False, timeout=timeout)
        return Result(done.returncode, done.stdout, done.stderr)

    # -- its machines -------------------------------------------------------------------------------------------------

    @property
    def minions(self):
        return self.plan.minions

    @property
    def master(self):
        return self.machine(MASTER)

    def machine(self, name):
        """The machine of this name."""
        try:
            return self.machines[name]
        except KeyError:
            raise LabError(f"No machine is called {name} here; there are: {', '.join(self.machines)}") from None

    def reboot(self, name):
        """Cut a machine's power and boot its disk again; returns when it has reported to the master."""
        machine = self.machine(name)
        if name == MASTER or not self.plan.salt:
            machine.reboot()
            return
        with self.bus() as bus:
            machine.reboot()
            bus.await_start([name])

    def environment(self):
        """The environment of a command that works with this lab."""
        return {
            **os.environ, HOME_VARIABLE: str(self.home), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "LAB_PYTHON": sys.executable, "PYTHONPATH": str(lab_salt.CHECKOUT),
        }


def salt_arguments(arguments, options):
    """Arguments as Salt's command line takes them: positional ones, then name=value, structures as JSON."""
    named = [f"{name}={_salt_value(value)}" for name, value in options.items()]
    return [_salt_value(value) for value in arguments] + named


def _salt_value(value):
    return value if isinstance(value, str) else json.dumps(value)
