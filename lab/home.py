"""Where a lab keeps its state on the host: one directory, and one control group of the same name."""
import os
import select
import subprocess
import tempfile
from pathlib import Path

from .errors import LabError

PLACE_VARIABLE = "SALT_TRANSFER_LAB_DIR"
PREFIX = "salt-transfer-lab."


def new_home():
    """A new directory, on a disk that can hold the upper layers of machines."""
    home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=os.environ.get(PLACE_VARIABLE, "/var/tmp")))
    home.chmod(0o755)
    if file_system(home) == "overlayfs":  # which cannot be the upper layer of another one
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", home], check=True)
    return home


def remove_home(home):
    """Delete a lab's directory with all its disks."""
    if os.path.ismount(home):
        subprocess.run(["umount", home], check=True)
    subprocess.run(["rm", "-rf", home], check=True)


def file_system(path):
    """The kind of file system a path is on, as stat names it."""
    return subprocess.run(
        ["stat", "--file-system", "--format=%T", path], check=True, capture_output=True, text=True
    ).stdout.strip()


def new_control_group(home):
    """A control group for the lab's machines, below the one of this process; its file system is mounted in `home`."""
    mount = home / "cgroup"
    mount.mkdir()
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", mount], check=True)
    group = mount / own_control_group() / home.name
    group.mkdir()
    return group


def own_control_group():
    """The path of this process's control group, relative to the root of their file system."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return line.removeprefix("0::").lstrip("/")
    raise LabError("This kernel has no unified control groups (cgroup2), and the lab's machines need them")


def remove_control_group(top):
    """Remove a control group with all groups in it, once the last process in them is gone."""
    if not top.exists():
        return
    await_empty(top)
    for directory, _, _ in os.walk(top, topdown=False):
        os.rmdir(directory)


def await_empty(group):
    """Return when no process is left in this control group."""
    with open(group / "cgroup.events") as events:
        changes = select.poll()
        changes.register(events, select.POLLPRI)
        while "populated 1" in events.read():
            changes.poll()
            events.seek(0)
