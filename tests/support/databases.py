"""Machines with a MariaDB each, and a minion without a master on each of them."""
import contextlib
import json
import subprocess
from pathlib import Path

from lab import Lab
from lab.database import REPLICATION_PASSWORD, Database

SHELL = Path(__file__).with_name("minion_shell.py")


class Refused(Exception):
    """A function raised an error; its words."""


class Minion:
    """Calls execution modules inside a machine."""

    program = (SHELL,)

    def __init__(self, machine, **opts):
        self._machine, self._opts = machine, {"id": machine.name, **opts}
        self._process = None
        self.start()

    def start(self):
        """Start it, also anew after the machine has lost its power."""
        argv = ["python", "-B", *self.program]
        self._process = self._machine.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._say(self._opts)
        self._heard()

    def call(self, function, *args, **kwargs):
        """What the function returned; Refused if it raised."""
        self._say({"function": function, "args": args, "kwargs": kwargs})
        answer = self._heard()
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["returned"]

    def state(self, function, name, **options):
        """What one state returned, without what Salt adds to it."""
        (told,) = self.call("state.single", function, name, **options).values()
        return {key: told[key] for key in ("result", "changes", "comment")}

    def _say(self, document):
        self._process.stdin.write(json.dumps(document) + "\n")
        self._process.stdin.flush()

    def _heard(self):
        while line := self._process.stdout.readline():
            if line.startswith("{"):
                return json.loads(line)
        raise AssertionError("the minion in the machine ended")

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait()


@contextlib.contextmanager
def databases(*names):
    """{name: Database} on machines of their own, empty and running; each has `.minion`."""
    config = {"replica": {"replication": {"user": "repl", "password": REPLICATION_PASSWORD}}}
    with Lab(minions=names, salt=None, databases=names) as lab, contextlib.ExitStack() as stack:
        found = {name: Database(lab.machine(name)) for name in names}
        for database in found.values():
            database.create()
            database.machine.run(["systemctl", "enable", "--quiet", "mariadb"])
            database.minion = stack.enter_context(contextlib.closing(Minion(database.machine, **config)))
        yield found
