"""A copy in the lab as a user starts it, and what can be seen of it from outside while it lasts."""

import contextlib
import functools
import subprocess

from lab.lab import Result

SLOW = "3mbit"
"""So slow that what is copied outlasts whatever a test does meanwhile; then the link is healed."""
SLOW_BYTES = 30_000_000


class Copying:
    """`salt-run transfer.copy` under way on the master. The bus is heard from before its first line."""

    def __init__(self, lab, src, dst, **options):
        self._lab = lab
        given = [f"{name}={value}" for name, value in {"src": src, "dst": dst, **options}.items()]
        self._argv = ["salt-run", "--config-dir=/etc/salt", "--out=json", "transfer.copy", *given]
        self._left = contextlib.ExitStack()
        self.transfer = ""

    def __enter__(self):
        self.bus = self._left.enter_context(self._lab.bus())
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = self._left.enter_context(self._lab.master.popen(self._argv, **pipes))
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self._left.close()

    def await_event(self, what, timeout=180, **details):
        """Return when an event of the transfer with these details has been heard."""
        for tag, data in self.bus.events(timeout):
            if tag.startswith("salt/transfer/") and data.get("what") == what and details.items() <= data.items():
                self.transfer = data["transfer"]
                return data
        raise AssertionError(f"no event {what} with {details} within {timeout} s")

    def await_moving(self):
        """Return when bytes move."""
        self.await_event("phase", role="source", phase="moving")

    def await_arrived(self, count=1):
        """Return when the destination has told of so many bytes that it has."""
        while self.await_event("progress", role="destination")["bytes_done"] < count:
            pass

    def finish(self, timeout=300):
        """What the runner returned, printed and ended with."""
        out, err = self.process.communicate(timeout=timeout)
        return Result(self.process.returncode, out, err)


@contextlib.contextmanager
def started(lab, function, *arguments, **options):
    """`salt-run transfer.FUNCTION` under way on the master; gives a function that waits for its Result."""
    given = [*arguments, *(f"{name}={value}" for name, value in options.items())]
    argv = ["salt-run", "--config-dir=/etc/salt", "--out=json", f"transfer.{function}", *given]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with lab.master.popen(argv, **pipes) as process:
        try:
            yield functools.partial(_finished, process)
        finally:
            if process.poll() is None:
                process.terminate()


def _finished(process):
    out, err = process.communicate(timeout=300)
    return Result(process.returncode, out, err)


def heal(lab):
    """The links are as fast as ever again."""
    for link in lab.machine("beta").links:
        link.heal()


def plant_random(machine, path, size):
    """A file of `size` random bytes, which nothing can make smaller."""
    machine.run(["sh", "-c", f"mkdir -p $(dirname {path}) && head -c {size} /dev/urandom >{path}"])


@contextlib.contextmanager
def slowed(machine, rate=SLOW):
    """The machine's links are slow for a while."""
    for link in machine.links:
        link.rate(rate)
    try:
        yield
    finally:
        for link in machine.links:
            link.heal()


def worker(machine, transfer, role):
    """(pid, start time, control group) of the worker of one end, as its machine sees them."""
    names = machine.output("systemctl", "list-units", "--plain", "--no-legend", f"salt-transfer-{transfer}*{role}*")
    unit = names.split()[0]
    pid = machine.output("systemctl", "show", "--property=MainPID", "--value", unit)
    started = machine.output("cat", f"/proc/{pid}/stat").rpartition(")")[2].split()[19]
    return pid, started, machine.output("cat", f"/proc/{pid}/cgroup")


def digest(machine, path):
    return machine.output("sha256sum", path).split()[0]


def jobs_on(machine):
    """The processes in which a minion runs jobs; one that wants to return to a master that is away keeps trying."""
    return machine.run(["pgrep", "-f", "Minion._thread_return"], check=False).stdout.split()


def restart_minions(lab, machines, killed=False):
    """Return when the minions of these machines have ended, killed if so, and started again."""
    with lab.bus() as bus:
        for machine in machines:
            if killed:
                machine.run(["systemctl", "kill", "--signal=KILL", "salt-minion"])
            machine.run(["systemctl", "restart", "--no-block", "salt-minion"])
        bus.await_start([machine.name for machine in machines])
