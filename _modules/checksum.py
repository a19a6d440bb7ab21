"""
Digests of files and trees on this host, in the form that ``sha256sum -c`` and ``b3sum -c`` check.

Links are not followed, and other file systems below a tree are not entered. Reading is all that happens, except for the
one file that is asked for. To read the bytes of a big tree takes its time: give ``salt -t`` enough of it.
"""

import contextlib
import os
import tempfile

from salt.exceptions import CommandExecutionError

from datamover import digests
from datamover.disk import checksums, journal, safepath
from datamover.errors import MoverError
from datamover.host import rundir
from transferplan import settings
from transferplan.errors import PlanError
from transferworker import verifying

__virtualname__ = "checksum"

SHOWN = 200


def __virtual__():
    return __virtualname__


def digest(path, algorithm="sha256"):
    """
    Compute the digest of a file, or of a tree: then that of its manifest, all names and digests in order.

    path
        An absolute path.

    algorithm : sha256
        sha256, or blake3 where this minion's Python has it.

    Returns the digest in hexadecimal. Raises an error that names what cannot be read or does not hold still.

    CLI Example:

    .. code-block:: bash

        salt db2 checksum.digest /srv/data/big.img
    """
    with _told():
        return checksums.digest(_absolute(path), _known(algorithm))


def manifest(path, out, algorithm="sha256", overwrite=False):
    """
    Write the digests of all files of a tree into a file. Check it inside the tree with ``sha256sum -c``.

    path
        An absolute path of a file or directory.

    out
        The file to write, an absolute path outside of the tree.

    algorithm : sha256
        sha256, or blake3 where this minion's Python has it (then check it with ``b3sum -c``).

    overwrite : False
        Replace ``out`` if it is there.

    Returns a dict: ``path`` (of the file written), ``files`` (how many lines it has), ``algorithm``.

    CLI Example:

    .. code-block:: bash

        salt db2 checksum.manifest /srv/data /root/data.sha256
    """
    with _told(), _new_file(_absolute(out), overwrite) as new:
        count = checksums.write_manifest(_absolute(path), new, _known(algorithm))
    return {"path": out, "files": count, "algorithm": algorithm}


def verify(receipt, root="", algorithm="sha256", extra=False, shown=200, role=""):
    """
    Check a receipt against what is on the disk now: the record of a transfer, or any checksum file.

    receipt
        The id of a transfer that this minion has the record of (32 hex digits): then names, kinds, owners, modes,
        times, attributes, links and bytes are checked. Or the absolute path of a checksum file, as
        ``checksum.receipt``, ``checksum.manifest`` or ``sha256sum`` write it: then the bytes are.

    root
        Of a checksum file: the directory that its names start from, an absolute path.

    algorithm : sha256
        With which a checksum file was made.

    extra : False
        Of a checksum file: also tell the files below ``root`` that it does not name.

    shown : 200
        How many differences to tell in detail; all are counted.

    role
        Of a transfer: source or destination; only needed where both ends are on one host.

    Returns a dict: ``verified`` (whether everything is as the receipt says), ``counts`` (how many of each: missing,
    content, extra, unreadable; of a transfer also kind, metadata; of a file also unusable), ``troubles`` (the first of
    them: ``path``, ``what``, ``why``), ``more`` (how many further ones); of a transfer also what ``transfer.verify``
    returns. The job's status is 1 unless all is verified.

    CLI Example:

    .. code-block:: bash

        salt db2 checksum.verify 0123456789abcdef0123456789abcdef
        salt db2 checksum.verify /root/data.sha256 /srv/data
    """
    with _told():
        if rundir.is_transfer(receipt):
            found = verifying.verify(rundir.RunDirs(_state_dir()).open(receipt, role), shown)
        else:
            found = _verify_file(_absolute(receipt), _absolute(root), _known(algorithm), extra, shown)
    __context__["retcode"] = 0 if found["verified"] else 1
    return found


def compare(one, other, algorithm=None):
    """
    Compare two files or trees of this host: names, kinds, owners, modes, times, attributes, links and bytes.

    one
        An absolute path.

    other
        Another.

    algorithm : the fastest there is
        sha256, or blake3 where this minion's Python has it.

    Returns a dict: ``equal``, ``differences`` (at most 200 dicts: ``path``, ``what``, ``one``, ``other``),
    ``more`` (how many further ones there are).

    CLI Example:

    .. code-block:: bash

        salt db2 checksum.compare /srv/data /srv/data.old
    """
    with _told():
        found = checksums.compare(_absolute(one), _absolute(other), _known(algorithm) if algorithm else None)
    return {"equal": not found, **_some("differences", found)}


def receipt(transfer, path, role="", overwrite=False):
    """
    Write what a transfer proved on this host as a checksum file: at a destination the digests of what was read back.

    transfer
        Its id: 32 hex digits. Its records are kept as long as ``keep_runs`` says.

    path
        The file to write, an absolute path outside of what was copied.

    role
        source or destination; only needed where both ends are on one host.

    overwrite : False
        Replace the file if it is there.

    Returns a dict: ``path`` (of the file written), ``files`` (how many lines it has), ``algorithm``, ``root`` (the
    directory in which to check it with ``sha256sum -c`` or ``b3sum -c``).

    CLI Example:

    .. code-block:: bash

        salt db2 checksum.receipt 0123456789abcdef0123456789abcdef /root/receipt.sha256
    """
    with _told(), _new_file(_absolute(path), overwrite) as new:
        run = rundir.RunDirs(_state_dir()).open(transfer, role)
        count, root = _export(run, new)
        return {"path": path, "files": count, "algorithm": run.spec["settings"]["digest"], "root": root}


# What they share.


@contextlib.contextmanager
def _told():
    """Our errors as Salt prints them: one sentence, no traceback."""
    try:
        yield
    except (MoverError, PlanError) as error:
        raise CommandExecutionError(error.text) from error
    except OSError as error:
        raise CommandExecutionError(f"{error.filename or 'the host'}: {error.strerror}") from error


def _absolute(path):
    if not os.path.isabs(path):
        raise CommandExecutionError(f"{path!r} is no absolute path: it has to begin with a slash.")
    return path


def _verify_file(path, root, algorithm, extra, shown):
    found = checksums.verify_manifest(path, root, algorithm, extra, shown)
    return {"verified": not found, "counts": found.counts, "troubles": found.shown, "more": found.more}


def _known(algorithm):
    if algorithm not in digests.available():
        raise CommandExecutionError(f"This minion has no {algorithm!r}; it has {', '.join(digests.available())}.")
    return algorithm


@contextlib.contextmanager
def _new_file(path, overwrite):
    """A private file beside `path` that gets its name when it is whole. Without `overwrite` it replaces nothing."""
    descriptor, new = tempfile.mkstemp(prefix=".checksum-", dir=os.path.dirname(path))
    os.close(descriptor)
    try:
        yield new
        if overwrite:
            os.replace(new, path)
        else:
            os.link(new, path)
    except FileExistsError as error:
        raise CommandExecutionError(f"{path} is there already: choose another file, or give overwrite=True.") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)


def _some(name, items):
    return {name: items[:SHOWN], "more": max(0, len(items) - SHOWN)}


def _export(run, out):
    """Write the journal's own digests; how many there are, and the directory they are relative to."""
    final = safepath.decode_path(run.spec["path"])
    is_tree = run.spec["source_kind"] == "directory"
    parent, name = safepath.split_final(final)
    known = journal.Journal(run.path / "entries.db")
    algorithm = run.spec["settings"]["digest"]
    try:
        count = known.export_sums(out, root_name=b"" if is_tree else name, algorithm=algorithm)
        return count, safepath.encode_path(final if is_tree else parent)
    finally:
        known.close()


def _state_dir():
    return settings.on_host({}, (), __pillar__.get("transfer"), __opts__.get("transfer")).state_dir
