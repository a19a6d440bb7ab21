"""
Hot backups by mariabackup or XtraBackup that lie in a directory of this host: taken, looked at, prepared, checked.

``salt-run transfer.copy type=xtrabackup`` brings one from another host. Where and as whom the database is reached is in
this minion's configuration or pillar, see the module ``replica``.
"""

import contextlib

from salt.exceptions import CommandExecutionError

from datamover.errors import MoverError
from hosttools.errors import HostToolError
from replicahost import backup as backing
from replicahost import discovery, streaming
from replicahost import settings as own
from replicaplan import arguments as given
from replicaplan import memory as limit
from replicaplan.errors import ReplicaError
from transferplan import units

__virtualname__ = "xtrabackup"


def __virtual__():
    return __virtualname__


def stream(target, parallel=2):
    """
    Take a backup of this host's running database into a directory of this host. The server goes on meanwhile.

    target
        An absolute path that is not there yet, or an empty directory. Its parent has to be there.

    parallel : 2
        How many threads of the tool read.

    Returns what ``xtrabackup.info`` returns; the backup is not prepared. It appears under its name when the tool has
    said that it completed and its info file is there; otherwise an error is raised and nothing is there.

    CLI Example:

    .. code-block:: bash

        salt db2 xtrabackup.stream /srv/backup parallel=4
    """
    with _told():
        place, threads = given.path("target", target), given.whole("parallel", parallel)
        return streaming.take(discovery.place(_settings()), place, threads).as_dict()


def info(target):
    """
    Tell what a backup in a directory says of itself. Changes nothing. Old and new names of its info files are read.

    target
        An absolute path.

    Returns a dict: ``path``, ``complete`` (the tool came to its end), ``prepared``, ``type``, ``tool``,
    ``tool_version``, ``server_version``, ``start_time``, ``end_time``, ``from_lsn``, ``to_lsn``, ``coordinates`` and
    ``upstream`` (``file``, ``position``, ``gtid``: where the server that was backed up was in its own binary log,
    and, if it was a replica, in its primary's), ``channels`` (how many primaries it followed), ``schemas``
    (directories).

    CLI Example:

    .. code-block:: bash

        salt db2 xtrabackup.info /srv/backup
    """
    with _told():
        return backing.read(given.path("target", target)).as_dict()


def prepare(target, memory=0):
    """
    Make a backup consistent, so that a server can run on it. One that is prepared already is left alone.

    target
        An absolute path. Preparing changes the backup: never do it to the only copy of one.

    memory : a quarter of what is available, or of what the minion's unit may have, from 32 MiB to 8 GiB
        How much the tool may use, as a number of bytes or a size such as 2GiB.

    Returns what ``xtrabackup.info`` returns, and ``changed`` (False if it was prepared before). The limit of open files
    is raised for the tool. A backup of another series than the tool's, an incomplete or incremental one, and one whose
    preparation was interrupted are refused.

    CLI Example:

    .. code-block:: bash

        salt db2 xtrabackup.prepare /srv/backup memory=1GiB
    """
    with _told():
        place, share = given.path("target", target), limit.chosen(memory, units.parse_size)
        changed = backing.prepare(place, share, _settings().open_files)
        return {**backing.read(place).as_dict(), "changed": changed}


def verify(target):
    """
    Read all InnoDB files of a backup and check the checksum of every page. Takes as long as reading does.

    target
        An absolute path.

    Returns a dict: ``verified``, ``files`` (how many were read), ``bad`` (a list of ``path`` and ``words`` for each
    that is damaged, or encrypted and so not readable), ``backup`` (as ``xtrabackup.info`` has it). The exit status is
    1 unless verified.

    CLI Example:

    .. code-block:: bash

        salt db2 xtrabackup.verify /srv/backup
    """
    with _told():
        place = given.path("target", target)
        found = backing.verify(place)
        verified = bool(found["files"]) and not found["bad"]
        told = {"verified": verified, **found, "backup": backing.read(place).as_dict()}
        __context__["retcode"] = 0 if told["verified"] else 1
        return told


@contextlib.contextmanager
def _told():
    """Our errors as Salt prints them: one sentence, no traceback."""
    try:
        yield
    except (ReplicaError, HostToolError, MoverError) as error:
        raise CommandExecutionError(error.text) from error
    except OSError as error:
        raise CommandExecutionError(f"{error.filename or 'the host'}: {error.strerror}") from error


def _settings():
    return own.read(__opts__.get("replica"), __pillar__.get("replica"))
