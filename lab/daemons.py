"""Master and minions as factories of pytest-salt-factories: each is a unit of the systemd of its own machine."""
import atexit

import attr
import psutil
from saltfactories.bases import SaltDaemon, SystemdSaltDaemonImpl
from saltfactories.cli.call import SaltCall
from saltfactories.cli.key import SaltKey
from saltfactories.cli.run import SaltRun
from saltfactories.cli.salt import Salt
from saltfactories.daemons.master import SaltMaster
from saltfactories.daemons.minion import SaltMinion

from . import salt
from .machine import BIN

COMMANDS = {"salt": Salt, "salt-run": SaltRun, "salt-call": SaltCall, "salt-key": SaltKey}
COMMAND_TIMEOUT = 120
START_TIMEOUT = 120


@attr.s(kw_only=True)
class UnitOfMachine(SystemdSaltDaemonImpl):
    """Drives a unit by the systemctl of the machine, and knows its main process by its number outside."""

    def get_service_name(self):
        return self.factory.script_name

    def cmdline(self, *args):
        return self.factory.machine.command(super().cmdline(*args))

    def _internal_run(self, *cmdline):
        return super()._internal_run(*self.factory.machine.command(cmdline))

    def is_running(self):
        self._process = self._main_process()
        return self._process is not None

    def _main_process(self):
        machine = self.factory.machine
        if not machine.running:
            return None
        inner = int(machine.output("systemctl", "show", "--value", "--property=MainPID", self.get_service_name()))
        outer = machine.outer_pid(inner) if inner else None
        return psutil.Process(outer) if outer else None

    def start(self, *extra_cli_arguments, **limits):
        """Start the unit, now and at every later boot of its machine."""
        started = super().start(*extra_cli_arguments, **limits)
        atexit.unregister(self.terminate)  # the lab cuts the power
        self._internal_run("systemctl", "enable", "--quiet", self.get_service_name())
        return started


@attr.s(kw_only=True, slots=True)
class Minion(SaltMinion):
    """A salt-minion on a machine of its own."""

    machine = attr.ib(repr=False)

    def _get_impl_class(self):
        return UnitOfMachine


@attr.s(kw_only=True, slots=True)
class Master(SaltMaster):
    """The salt-master on its machine. It accepts keys by its own configuration, so nobody listens for them here."""

    machine = attr.ib(repr=False)

    def __attrs_post_init__(self):
        SaltDaemon.__attrs_post_init__(self)

    def _get_impl_class(self):
        return UnitOfMachine


def master(machine, environ):
    """The factory of the lab's master."""
    return _daemon(Master, salt.MASTER, machine, environ)


def minion(machine, environ):
    """The factory of the minion on this machine."""
    return _daemon(Minion, salt.MINION, machine, environ)


def _daemon(kind, script, machine, environ):
    return kind(
        script_name=script, config=_config(machine.name, script), machine=machine, environ=environ,
        system_service=True, max_start_attempts=1, start_timeout=START_TIMEOUT,
    )


def command(name, machine, environ):
    """One of Salt's commands as a factory: command("salt-run", master, ...).run("manage.up").data"""
    daemon = salt.MINION if name == "salt-call" else salt.MASTER
    return COMMANDS[name](
        script_name=str(BIN / name), config=_config(machine.name, daemon), timeout=COMMAND_TIMEOUT,
        environ={**environ, "LAB_MINION": machine.name},
    )


def _config(name, daemon):
    return {"id": name, "conf_file": salt.config_file(daemon), "timeout": COMMAND_TIMEOUT}
