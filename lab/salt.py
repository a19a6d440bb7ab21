"""Salt in the lab: configuration and systemd units of the master and the minions."""
import shutil
import sys
import textwrap
from pathlib import Path

import yaml

from .errors import LabError

CHECKOUT = Path(__file__).resolve().parent.parent
NEWEST = "3008"
VERSIONS = (NEWEST, "3006")
INSTALLS = ("checkout", "file_roots", "none")
CODE_ROOT = "/srv/salt-transfer"
NOT_IN_A_CLONE = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", ".cache of a test")
CONFIG_DIRECTORY = "/etc/salt"
MASTER, MINION = "salt-master", "salt-minion"
# Publisher, requests, and the port where tests run salt-api.
MASTER_SERVICES = (4505, 4506, 8000)

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


def salt_directory(version):
    """The bin directory of the virtual environment that holds this Salt."""
    places = [CHECKOUT / ".venv" / f"salt{version}" / "bin"]
    if version == NEWEST:
        places.append(Path(sys.prefix, "bin"))
    for place in places:
        if (place / MINION).exists():
            return place
    raise LabError(f"Salt {version} is not installed in {places[0]}; ./dev lab --salt {version} does that")


def master_config(install, overrides):
    """The master's configuration as a dict."""
    return {**MASTER_DEFAULTS, "id": "master", **_module_dirs(install), **_file_roots(install), **overrides}


def minion_config(name, master_address, install, overrides):
    """A minion's configuration as a dict."""
    return {**MINION_DEFAULTS, "id": name, "master": master_address, **_module_dirs(install), **overrides}


def _module_dirs(install):
    """Our code straight from the checkout, without any sync."""
    return {"module_dirs": [str(CHECKOUT)]} if install == "checkout" else {}


def _file_roots(install):
    """The master's file server, with our code as users install it where asked for."""
    code = [CODE_ROOT] if install == "file_roots" else []
    return {"file_roots": {"base": [*code, "/srv/salt"]}}


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
        ExecStart={salt_bin}/{daemon} --config-dir={CONFIG_DIRECTORY}
        [Install]
        WantedBy=lab.target
        """)


def config_file(daemon):
    """Where a daemon's configuration is in its machine."""
    return f"{CONFIG_DIRECTORY}/{daemon.removeprefix('salt-')}"


def install_daemon(machine, daemon, config, salt_bin):
    """Put a daemon's configuration and unit on the disk of a machine that does not run."""
    machine.install(config_file(daemon), yaml.safe_dump(config))
    machine.install(f"/etc/systemd/system/{daemon}.service", unit(daemon, salt_bin))


def install_code(master):
    """Put a copy of the checkout where the master's file server finds it, as a clone would be."""
    shutil.copytree(CHECKOUT, master.disk(CODE_ROOT), ignore=NOT_IN_A_CLONE)
