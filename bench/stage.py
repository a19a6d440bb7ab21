"""Where one run happens: what is moved, over which addresses, into which fresh place; and whether it arrived equal."""

import contextlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError
from .network import call

PORTION = 1 << 20
LIMIT = 900
"""Seconds after which a run is given up."""


@dataclass(frozen=True)
class Stage:
    """`place` is an empty directory; the data is to arrive in it under the name it has at the source."""

    network: object
    addresses: dict
    source: Path
    place: Path
    scratch: Path
    limit: float = LIMIT


@contextlib.contextmanager
def directory_in(parent):
    """An empty directory on a file system that is there already."""
    path = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def bound_directory(at, parent):
    """The same, to be seen here too."""
    with directory_in(parent) as path:
        call("mount", "--bind", str(path), str(at))
        try:
            yield at
        finally:
            call("umount", str(at))


@contextlib.contextmanager
def memory_file_system(at):
    """A new tmpfs."""
    call("mount", "-t", "tmpfs", "-o", "mode=700,size=90%", "tmpfs", str(at))
    try:
        yield at
    finally:
        call("umount", str(at))


@contextlib.contextmanager
def ext4_file_system(at, image, size):
    """A new ext4 in a sparse file of this size, through a loop device."""
    with open(image, "wb") as file:
        file.truncate(size)
    call("mkfs.ext4", "-q", "-F", "-i", "4096", str(image))
    call("mount", "-o", "loop", str(image), str(at))
    try:
        yield at
    finally:
        call("umount", str(at))
        os.unlink(image)


def check_equal(source, target):
    """Demand that a file or tree is at `target` as at `source`: kinds, names, bytes, targets of links."""
    if here := differences(source, target):
        raise BenchError(f"it did not arrive equal: {here}")


def differences(source, target):
    """The first difference in words; None if there is none."""
    if found := _different(source, target):
        return found
    for folder, folders, files in os.walk(source):
        twin = target / os.path.relpath(folder, source)
        if not twin.is_dir() or sorted(os.listdir(twin)) != sorted(folders + files):
            return f"{folder} has other names than {twin}"
        for name in folders + files:
            if found := _different(Path(folder, name), twin / name):
                return found
    return None


def _different(one, other):
    try:
        left, right = os.lstat(one), os.lstat(other)
    except OSError as error:
        return str(error)
    if stat.S_IFMT(left.st_mode) != stat.S_IFMT(right.st_mode):
        return f"{one} is another kind of thing than {other}"
    if stat.S_ISLNK(left.st_mode):
        return None if os.readlink(one) == os.readlink(other) else f"{one} points elsewhere than {other}"
    if stat.S_ISREG(left.st_mode) and (left.st_size != right.st_size or not _same_bytes(one, other)):
        return f"{one} has other bytes than {other}"
    return None


def _same_bytes(one, other):
    with open(one, "rb", buffering=0) as left, open(other, "rb", buffering=0) as right:
        while portion := left.read(PORTION):
            if portion != right.read(PORTION):
                return False
    return True
