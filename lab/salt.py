"""Salt in the lab: configuration and systemd units of the master and the minions, and the master's event bus."""
import json
import os
import select
import subprocess
import textwrap
import time
from pathlib import Path

import yaml

from .errors import LabError

CHECKOUT = Path(__file__).resolve().parent.parent
BUS_SCRIPT = Path(__file__).with_name("bus.py")
SUBSCRIBE_TIMEOUT = 60
INSTALLS = ("checkout", "file_roots", "none")

MASTER_DEFAULTS = {
    "auto_accept": True,
    "worker_threads": 3,
    "fileserver_list_cache_time": 0,
    "timeout": 15,
    "extension_modules": "/var/cache/salt/master/extmods",
}
MINION_DEFAULTS = {
    "acceptance_wait_time": 1,
    "random_reauth_delay": 1,
    "recon_default": 100,
    "recon_max": 1000,
    "recon_randomize": False,
    "grains_cache": False,
    "mine_enabled": False,
    "extension_modules": "/var/cache/salt/minion/extmods",
}


def master_config(install, overrides):
    """The master's configuration as a dict."""
    return {**MASTER_DEFAULTS, "id": "master", **_code(install, "/srv/salt"), **overrides}


def minion_config(name, master_address, install, overrides):
    """A minion's configuration as a dict."""
    module_dirs = {"module_dirs": [str(CHECKOUT)]} if install == "checkout" else {}
    return {**MINION_DEFAULTS, "id": name, "master": master_address, **module_dirs, **overrides}


def _code(install, state_tree):
    """Where the master finds our code: in the checkout itself, or in its file server as users install it."""
    if install == "checkout":
        return {"module_dirs": [str(CHECKOUT)], "file_roots": {"base": [state_tree]}}
    if install == "file_roots":
        return {"file_roots": {"base": [str(CHECKOUT), state_tree]}}
    return {"file_roots": {"base": [state_tree]}}


def unit(daemon, salt_bin):
    """The daemon's systemd unit, ended as the packaged one is: everything left in its control group is killed."""
    return textwrap.dedent(f"""\
        [Unit]
        Description=The lab's {daemon}
        [Service]
        Type=notify
        NotifyAccess=all
        KillMode=mixed
        LimitNOFILE=100000
        Environment=PATH={salt_bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        Environment=PYTHONDONTWRITEBYTECODE=1
        Environment=LANG=C.UTF-8
        ExecStart={salt_bin}/{daemon} --config-dir=/etc/salt
        [Install]
        WantedBy=lab.target
        """)


def install_daemon(machine, daemon, config, salt_bin):
    """Put a daemon's configuration and unit on the disk of a machine that does not run."""
    machine.install(f"/etc/salt/{daemon.removeprefix('salt-')}", yaml.safe_dump(config))
    machine.install(f"/etc/systemd/system/{daemon}.service", unit(daemon, salt_bin))


def start_daemon(machine, daemon):
    """Start a daemon now and at every later boot; returns at once."""
    machine.run(["systemctl", "enable", "--now", "--no-block", "--quiet", f"{daemon}.service"])


class Bus:
    """The master's event bus: subscribed when entered, then every event in order."""

    def __init__(self, master):
        self._process = master.popen(
            ["python", "-I", "-B", BUS_SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        self._pending = b""

    def __enter__(self):
        first = next(self._lines(time.monotonic() + SUBSCRIBE_TIMEOUT), "nothing")
        if first != "subscribed":
            self.__exit__()
            raise LabError(f"Cannot listen on the master's event bus; its listener said: {first}")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()

    def events(self, timeout):
        """Pairs of tag and data as they come, for at most `timeout` seconds."""
        for line in self._lines(time.monotonic() + timeout):
            event = json.loads(line)
            yield event["tag"], event["data"]

    def _lines(self, deadline):
        while True:
            line, newline, rest = self._pending.partition(b"\n")
            if newline:
                self._pending = rest
                yield line.decode()
                continue
            chunk = self._read(deadline - time.monotonic())
            if not chunk:
                return
            self._pending += chunk

    def _read(self, timeout):
        output = self._process.stdout
        ready, _, _ = select.select([output], [], [], max(0, timeout))
        return os.read(output.fileno(), 65536) if ready else b""

    def await_event(self, tag, timeout=90):
        """The data of the first event from now on with exactly this tag."""
        for seen, data in self.events(timeout):
            if seen == tag:
                return data
        raise LabError(f"No event {tag} within {timeout} s")

    def await_start(self, minions, timeout=90):
        """Return when all these minions have reported their start."""
        missing = {f"salt/minion/{name}/start": name for name in minions}
        for tag, _ in self.events(timeout):
            missing.pop(tag, None)
            if not missing:
                return
        raise LabError(f"Not started within {timeout} s: {', '.join(sorted(missing.values()))}")
