"""One machine of the lab: it boots its disk, runs commands, loses its power and boots again.

A machine is known by its directory, so any process of the lab can take hold of it:

    upper, work     the writable layer of its root file system, over the host's own /
    disk/           srv, tmp and var/lib/salt-transfer: file systems of its own
    host/           shown to the machine as /run/host; `booted` is a pipe by which its systemd reports
    boot_id, pid    of the present boot; number: its host number in the network
    shared          directories of the host that it sees read-only
    lower           what lies below its own layer: the host's /, and trees of unpacked packages over it
"""
import contextlib
import os
import select
import signal
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .network import INTERFACES, Network, run_tool

BOOT_SCRIPT = Path(__file__).with_name("boot.sh")
BIN = Path(__file__).with_name("bin")
BOOT_TIMEOUT = 120
OWN_DIRECTORIES = ("srv", "tmp", "var/lib/salt-transfer")
# The host's own settings stay out of sight; a machine starts with empty ones.
HIDDEN_DIRECTORIES = (
    "etc/salt", "etc/systemd/system", "etc/cron.d", "var/cache/salt", "var/log/salt", "var/lib/salt", "var/tmp",
    "root", "home",
)
HIDDEN_MODES = {"root": 0o700, "var/tmp": 0o1777}


@dataclass(frozen=True)
class Machine:
    """A machine by its name, its directory, the network it is plugged into and its control group."""

    name: str
    home: Path
    network: Network
    cgroup: Path

    # -- its disk ---------------------------------------------------------------------------------------------

    def create(self, number, shared, trees=()):
        """Make an empty disk; `number` is its host number, `shared` what it sees of the host, read-only.

        `trees` of the host, such as unpacked packages, lie over its / as if they were installed.
        """
        for part in ("upper", "work", "root", "host", *(f"disk/{place}" for place in OWN_DIRECTORIES)):
            (self.home / part).mkdir(parents=True)
        (self.home / "disk/tmp").chmod(0o1777)
        (self.home / "disk/var/lib/salt-transfer").chmod(0o700)
        (self.home / "number").write_text(f"{number}\n")
        (self.home / "shared").write_text("".join(f"{path}\n" for path in shared))
        (self.home / "lower").write_text(":".join([*map(str, trees), "/"]))
        os.mkfifo(self.home / "host/booted")
        for directory in HIDDEN_DIRECTORIES:
            self._hide(directory)

    def _hide(self, directory):
        place = self.home / "upper" / directory
        place.mkdir(parents=True)
        place.chmod(HIDDEN_MODES.get(directory, 0o755))
        os.setxattr(place, "trusted.overlay.opaque", b"y")

    def install(self, path, text, mode=0o644):
        """Write a file onto the disk of a machine that does not run."""
        place = self.home / "upper" / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def install_tree(self, tree):
        """Copy a tree of the host, such as unpacked packages, over the / of a machine that does not run."""
        run_tool("cp", "-a", f"{tree}/.", str(self.home / "upper"))

    def install_link(self, path, target):
        """Put a symbolic link onto the disk of a machine that does not run."""
        place = self.home / "upper" / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def disk(self, path):
        """Where a path below /srv, /tmp or /var/lib/salt-transfer is on the host, whether the machine runs or not."""
        return self.home / "disk" / path.lstrip("/")

    def mount_disk(self, path, megabytes):
        """Mount an empty ext4 file system of this size in the running machine, until its power is cut.

        Returns the path of the image that holds it.
        """
        image = self.home / f"disk-{uuid.uuid4().hex}"
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        run_tool("mkfs.ext4", "-q", "-m", "0", str(image))
        device = run_tool("losetup", "--find", "--show", str(image)).strip()
        try:
            number = os.stat(device).st_rdev
            self.run(["mknod", device, "b", os.major(number), os.minor(number)])
            self.run(["mkdir", "-p", path])
            self.run(["mount", device, path])
            self.run(["rm", device])
        finally:
            run_tool("losetup", "--detach", device)  # takes effect when the last mount of it is gone
        return image

    # -- its power --------------------------------------------------------------------------------------------

    def boot(self):
        """Boot the disk with a new boot id; returns when systemd has reached its basic target."""
        if self.running:
            raise LabError(f"{self.name} runs already (init is process {self.pid})")
        (self.home / "boot_id").write_text(f"{uuid.uuid4()}\n")
        self.cgroup.mkdir(parents=True, exist_ok=True)
        booted = os.open(self.home / "host/booted", os.O_RDONLY | os.O_NONBLOCK)
        try:
            self._power_on()
            self._await_report(booted)
        finally:
            os.close(booted)

    def _power_on(self):
        with open(self.home / "console", "ab") as console:
            process = subprocess.Popen(
                [str(BOOT_SCRIPT), str(self.home), str(self.cgroup), self.name],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=console, text=True, start_new_session=True,
            )
        first_line = process.stdout.readline()
        if not first_line:
            process.wait()
            raise self._boot_failure("its boot script ended early")
        (self.home / "pid").write_text(first_line)
        self.network.plug_in(self.number, self.pid)
        process.stdin.write("go\n")
        process.stdin.close()
        process.stdout.close()
        # Its parent is whoever booted it; the exit status is of no interest and init or the next boot reaps it.

    def _await_report(self, booted):
        ready, _, _ = select.select([booted], [], [], BOOT_TIMEOUT)
        if not ready:
            raise self._boot_failure(f"systemd did not report within {BOOT_TIMEOUT} s")

    def _boot_failure(self, reason):
        console = (self.home / "console").read_text(errors="replace")
        return LabError(f"{self.name} did not boot: {reason}\n{console}")

    def cut_power(self):
        """Kill its init and with it everything in the machine, without any warning to anybody."""
        if self.running:
            kill(self.pid)
        (self.home / "pid").unlink(missing_ok=True)
        self.network.unplug(self.number)

    def reboot(self):
        """Cut the power and boot the same disk again."""
        self.cut_power()
        self.boot()

    # -- what it is now -----------------------------------------------------------------------------------------

    @property
    def number(self):
        return int((self.home / "number").read_text())

    @property
    def pid(self):
        """The process id of its init, as seen from outside."""
        return int((self.home / "pid").read_text())

    @property
    def running(self):
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        return state != "Z"

    @property
    def boot_id(self):
        return (self.home / "boot_id").read_text().strip()

    @property
    def ip(self):
        """Its IPv4 address on the front network."""
        return self.addresses["front"][0]

    @property
    def ip6(self):
        """Its IPv6 address on the front network."""
        return self.addresses["front"][1]

    @property
    def addresses(self):
        """{side: (IPv4, IPv6)} for the networks front (eth0) and back (eth1)."""
        return self.network.addresses(self.number)

    def link(self, side="front"):
        """One of its links, to cut, slow down or filter."""
        return self.network.link(self.number, side, self.pid)

    @property
    def links(self):
        return [self.link(side) for side in INTERFACES]

    def path(self, path):
        """Where a file of the running machine is seen from outside. A link in it leads out of the machine: beware."""
        return Path(f"/proc/{self.pid}/root") / str(path).lstrip("/")

    # -- commands in it -------------------------------------------------------------------------------------------

    def command(self, argv):
        """The command line that runs `argv` in this machine when started from outside."""
        return [str(BIN / "lab-exec"), self.name, *map(str, argv)]

    def entered(self, process):
        """The process id, as seen from outside, of the command that `popen` started in the machine: once it runs."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if not children:
            raise LabError(f"{self.name}: {process.args} has not started yet; await a sign of it first")
        return int(children[0])

    def signal(self, process, number):
        """Send a signal to the command that `popen` started."""
        os.kill(self.entered(process), number)

    def outer_pid(self, inner):
        """The process id, as seen from outside, of a process that the machine's systemd started; None if it is gone."""
        for group in self.cgroup.rglob("cgroup.procs"):
            for pid in group.read_text().split():
                if inner_pid(pid) == inner:
                    return int(pid)
        return None

    def _environment(self):
        return {**os.environ, "LAB_HOME": str(self.home.parent.parent)}

    def popen(self, argv, **options):
        """Start a command in the machine. Ending this process by any signal sends SIGTERM to the command."""
        return subprocess.Popen(self.command(argv), env=self._environment(), **options)

    def run(self, argv, check=True, text=True, timeout=120, **options):
        """Run a command in the machine to its end; output is captured. A failure raises with the command's stderr."""
        done = subprocess.run(
            self.command(argv), env=self._environment(), capture_output=True, text=text, timeout=timeout, **options
        )
        if check and done.returncode:
            said = f"{done.stdout}{done.stderr}"
            raise LabError(f"{self.name}: {' '.join(map(str, argv))} ended with status {done.returncode}:\n{said}")
        return done

    def output(self, *argv):
        """What a command prints, without the white space around it."""
        return self.run(argv).stdout.strip()


def inner_pid(pid):
    """The process id that a process has in its innermost namespace; None if it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    return None


def kill(pid):
    """Kill a process and return when it has ended."""
    with contextlib.suppress(ProcessLookupError), process_handle(pid) as handle:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [])


@contextlib.contextmanager
def process_handle(pid):
    """A file descriptor that stands for a process, and becomes readable at its end."""
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def await_end(pid):
    """Return when a process has ended."""
    with contextlib.suppress(ProcessLookupError), process_handle(pid) as handle:
        select.select([handle], [], [])
