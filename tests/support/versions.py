"""A minion of the lab that runs another version of salt-transfer for a while."""

import contextlib
import shutil

from lab.salt import CHECKOUT

from transferplan.version import VERSION

OTHER_VERSION = "9.9.9"
PLACE = "/tmp/other-version"
CONFIG = "/etc/salt/minion.d/other-version.conf"


@contextlib.contextmanager
def other_version(lab, name):
    """The minion is restarted with OTHER_VERSION; workers that run go on with what they began with."""
    machine = lab.machine(name)
    _plant(machine.disk(PLACE))
    machine.run(["mkdir", "-p", "/etc/salt/minion.d"])
    machine.run(["tee", CONFIG], input=f"module_dirs: [{PLACE}]\n")
    _restart(lab, name)
    try:
        yield OTHER_VERSION
    finally:
        machine.run(["rm", "-r", "/etc/salt/minion.d", PLACE])
        _restart(lab, name)


def _plant(place):
    for folder in ("_modules", "_utils"):
        shutil.copytree(CHECKOUT / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("transferplan", "datamover"):
        file = place / "_utils" / package / "version.py"
        file.write_text(file.read_text().replace(VERSION, OTHER_VERSION))


def _restart(lab, name):
    machine = lab.machine(name)
    with lab.bus() as bus:
        machine.run(["systemctl", "kill", "--signal=KILL", "salt-minion"])
        machine.run(["systemctl", "restart", "salt-minion"])  # start does nothing while its death is not noticed yet
        bus.await_start([name])
