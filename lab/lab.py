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
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import salt as lab_salt
from .errors import LabError
from .machine import BIN, Machine, remove_control_group, remove_disks
from .network import Network

MINIONS = ("alpha", "beta", "gamma")
MASTER = "master"
MASTER_NUMBER = 2
FIRST_MINION_NUMBER = 11
HOME_VARIABLE = "LAB_HOME"
PLACE_VARIABLE = "SALT_TRANSFER_LAB_DIR"
UNSUITABLE_DISKS = ("overlayfs",)


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


class Lab:
    """Master and minions on machines of their own. `salt=None` gives the machines alone."""

    def __init__(self, minions=MINIONS, salt="3008", install="checkout", master_config=None, minion_config=None,
                 firewall=True):
        if install not in lab_salt.INSTALLS:
            raise LabError(f"install={install!r} is none of {', '.join(lab_salt.INSTALLS)}")
        self.minions = tuple(minions)
        self.salt = salt
        self.install = install
        self.firewall = firewall
        self._master_config = master_config or {}
        self._minion_config = minion_config or {}
        self._salt_bin = salt_directory(salt) if salt else ""
        self.home = self.network = self.machines = None

    @classmethod
    def running(cls, home=None):
        """The lab that runs already, by its directory or by $LAB_HOME."""
        home = Path(home or os.environ.get(HOME_VARIABLE) or _no_lab())
        settings = json.loads((home / "lab.json").read_text())
        lab = cls(settings["minions"], settings["salt"], settings["install"])
        lab._take(home, Network(settings["network"]), Path(settings["cgroup"]))
        return lab

    # -- its life -------------------------------------------------------------------------------------------------

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Build the network, boot all machines at once and wait until every minion has reported."""
        network = Network.free()
        home = new_home()
        self._take(home, network, control_group(home))
        self._write_settings()
        network.build()
        self._create_machines()
        with ThreadPoolExecutor(len(self.machines)) as pool:
            list(pool.map(Machine.boot, self.machines.values()))
        if self.salt:
            self._start_salt()

    def stop(self):
        """Cut the power of every machine and remove all traces."""
        if self.home is None:
            return
        for machine in self.machines.values():
            machine.remove()
        remove_control_group(self._cgroup)
        self.network.remove()
        subprocess.run(["umount", "--recursive", self.home / "cgroup"], check=True)
        remove_disks(self.home)
        self.home = None

    def _take(self, home, network, cgroup):
        self.home, self.network, self._cgroup = home, network, cgroup
        names = (MASTER, *self.minions) if self.salt else self.minions
        self.machines = {
            name: Machine(name, home / "machines" / name, network, cgroup / name) for name in names
        }

    def _write_settings(self):
        settings = {
            "minions": self.minions, "salt": self.salt, "install": self.install,
            "network": self.network.number, "cgroup": str(self._cgroup),
        }
        (self.home / "lab.json").write_text(json.dumps(settings))
        (self.home / "names").write_text(f"{' '.join(self.machines)}\n")
        (self.home / "minions").write_text("".join(f"{name}\n" for name in self.minions))
        (self.home / "salt-bin").write_text(f"{self._salt_bin}\n")

    def _create_machines(self):
        for name, machine in self.machines.items():
            number = MASTER_NUMBER if name == MASTER else FIRST_MINION_NUMBER + self.minions.index(name)
            machine.create(number, self._shared_directories())
        for machine in self.machines.values():
            self._furnish(machine)
            if self.salt:
                self._install_salt(machine)

    def _shared_directories(self):
        """The checkout, the machines' Salt and the Python below it, unless every machine has them in /usr anyway."""
        salt = Path(self._salt_bin or sys.prefix / Path("bin")).parent
        base = (salt / "bin/python3").resolve().parent.parent
        places = {lab_salt.CHECKOUT, salt, base}
        return sorted(str(place) for place in places if place != Path("/usr"))

    # -- what is on the disks -------------------------------------------------------------------------------------

    def _furnish(self, machine):
        machine.install("/etc/hostname", f"{machine.name}\n")
        machine.install("/etc/machine-id", f"{os.urandom(16).hex()}\n")
        machine.install("/etc/fstab", "")
        machine.install("/etc/hosts", self._hosts())
        machine.install("/etc/systemd/system/lab.target", LAB_TARGET)
        machine.install("/etc/systemd/system/lab-booted.service", LAB_BOOTED)
        for name in NOT_IN_A_MACHINE:
            (machine.home / "upper/etc/systemd/system" / name).symlink_to("/dev/null")
        if self.firewall:
            self._install_firewall(machine)

    def _install_firewall(self, machine):
        services = "tcp dport { 4505, 4506, 8000 } accept" if machine.name == MASTER else ""
        machine.install("/etc/nftables.conf", FIREWALL.format(services=services), 0o755)
        wanted = machine.home / "upper/etc/systemd/system/sysinit.target.wants"
        wanted.mkdir()
        (wanted / "nftables.service").symlink_to("/lib/systemd/system/nftables.service")

    def _hosts(self):
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        for name, machine in self.machines.items():
            lines += [f"{address} {name}" for address in machine.addresses["front"]]
        return "".join(f"{line}\n" for line in lines)

    def _install_salt(self, machine):
        if machine.name == MASTER:
            config = lab_salt.master_config(self.install, self._master_config)
            lab_salt.install_daemon(machine, "salt-master", config, self._salt_bin)
        else:
            config = lab_salt.minion_config(machine.name, self.master.ip, self.install, self._minion_config)
            lab_salt.install_daemon(machine, "salt-minion", config, self._salt_bin)

    # -- its Salt -------------------------------------------------------------------------------------------------

    def _start_salt(self):
        lab_salt.start_daemon(self.master, "salt-master")
        with self.bus() as bus:
            for name in self.minions:
                lab_salt.start_daemon(self.machine(name), "salt-minion")
            bus.await_start(self.minions)

    def bus(self):
        """The master's event bus as a context manager; subscribed before the first line of the `with`."""
        return lab_salt.Bus(self.master)

    def run_runner(self, function, *arguments, timeout=300, **options):
        """Run a runner by `salt-run --out=json`; gives a Result, whose `data` is what the runner returned."""
        return self._salt_command(["salt-run", "--out=json", function, *_salt_arguments(arguments, options)], timeout)

    def run_module(self, minion, function, *arguments, timeout=300, **options):
        """Run an execution module on one minion by `salt`; gives a Result, whose `data` is {minion: return}."""
        argv = ["salt", "--out=json", "--static", minion, function, *_salt_arguments(arguments, options)]
        return self._salt_command(argv, timeout)

    def call_local(self, minion, function, *arguments, timeout=300, **options):
        """Run an execution module by `salt-call` on the minion itself; `data` is {"local": return}."""
        argv = ["salt-call", "--config-dir=/etc/salt", "--out=json", function, *_salt_arguments(arguments, options)]
        done = self.machine(minion).run(argv, check=False, timeout=timeout)
        return Result(done.returncode, done.stdout, done.stderr)

    def _salt_command(self, argv, timeout):
        done = self.master.run([argv[0], "--config-dir=/etc/salt", *argv[1:]], check=False, timeout=timeout)
        return Result(done.returncode, done.stdout, done.stderr)

    # -- its machines ---------------------------------------------------------------------------------------------

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
        if name in self.minions and self.salt:
            with self.bus() as bus:
                machine.reboot()
                bus.await_start([name])
        else:
            machine.reboot()

    def environment(self):
        """The environment of a command that works with this lab."""
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        return {
            **os.environ, HOME_VARIABLE: str(self.home), "PATH": path, "LAB_PYTHON": sys.executable,
            "PYTHONPATH": str(lab_salt.CHECKOUT),
        }


def _no_lab():
    raise LabError("No lab runs here ($LAB_HOME is not set): start one by ./dev lab")


def _salt_arguments(arguments, options):
    """Arguments as Salt's command line takes them: positional ones, then name=value, structures as JSON."""
    return [_salt_value(value) for value in arguments] + [f"{name}={_salt_value(value)}" for name, value in options.items()]


def _salt_value(value):
    return value if isinstance(value, str) else json.dumps(value)


def salt_directory(version):
    """The bin directory of the virtual environment that holds this Salt."""
    place = lab_salt.CHECKOUT / ".venv" / f"salt{version}" / "bin"
    if (place / "salt-minion").exists():
        return place
    if version == "3008" and Path(sys.prefix, "bin/salt-minion").exists():
        return Path(sys.prefix, "bin")
    raise LabError(f"Salt {version} is not installed in {place}; ./dev lab --salt {version} does that")


def new_home():
    """A new directory for a lab, on a disk that can hold the upper layers of machines."""
    place = Path(os.environ.get(PLACE_VARIABLE, "/var/tmp"))
    home = Path(tempfile.mkdtemp(prefix="salt-transfer-lab.", dir=place))
    home.chmod(0o755)
    kind = subprocess.run(["stat", "--file-system", "--format=%T", home], capture_output=True, text=True).stdout.strip()
    if kind in UNSUITABLE_DISKS:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", home], check=True)
    return home


def control_group(home):
    """A control group for the lab below our own one."""
    mount = home / "cgroup"
    mount.mkdir()
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", mount], check=True)
    own = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    group = mount / own.removeprefix("0::").lstrip("/") / home.name
    group.mkdir()
    return group


LAB_TARGET = """\
[Unit]
Description=A machine of the lab
Requires=basic.target lab-booted.service
"""

LAB_BOOTED = """\
[Unit]
Description=Tell the lab that the machine is up
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo up >/run/host/booted'
"""

# What would reach for hardware or the kernel, or takes time at boot and serves nobody here.
NOT_IN_A_MACHINE = (
    "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket",
    "systemd-sysctl.service", "systemd-modules-load.service", "systemd-timesyncd.service", "systemd-remount-fs.service",
    "systemd-update-utmp.service", "systemd-journal-flush.service", "systemd-tmpfiles-clean.timer",
    "systemd-journald-audit.socket", "systemd-initctl.socket", "dev-hugepages.mount", "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "modprobe@.service",
    "keyboard-setup.service", "console-setup.service", "e2scrub_reap.service",
)

FIREWALL = """\
#!/usr/sbin/nft -f
flush ruleset
table inet filter {{
    chain input {{
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iif lo accept
        meta l4proto {{ icmp, ipv6-icmp }} accept
        {services}
    }}
}}
"""
