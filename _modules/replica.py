"""
The database of this host as a replica: what it is, how its data is exchanged, whom it follows, whether it is equal.

MariaDB that runs as a unit of systemd. Where it is reached, and with what it logs in at its primary, is in the pillar
or the configuration of this minion (docs/options.md tells of every setting); what is not given is found out::

    replica:
      unit: mariadb.service
      user: root                # at the socket; the unix_socket plugin needs no password
      defaults_file: /root/.my.cnf
      replication: {user: repl, password: ..., ssl_ca: /etc/mysql/authority.pem}    # ssl, ssl_verify: see the docs

An installation is a hold: until ``replica.settle`` the old data comes back, and the server runs as it did, when a step
fails, when ``replica.roll_back`` is called, and when nobody goes on with it within its lease, whatever died meanwhile.

Every function takes a ``nonce``. With one, the answer is a statement signed with the minion's Salt key, in which an
error travels as ``{"error": {code, name, retryable, text, evidence}}``; without one it is the bare answer, and an error
is raised.
"""

import logging

from salt.exceptions import CommandExecutionError

import saltface
from datamover.errors import DiskError, LocalError, MoverError
from hosttools.backups import Coordinates
from hosttools.errors import HostToolError
from replicahost import backup as backing
from replicahost import counting, discovery, holds, installing, logfiles, records, replicating
from replicahost import settings as own
from replicaplan import arguments as given
from replicaplan import lease as duration
from replicaplan import memory as limit
from replicaplan import positions, target
from replicaplan.errors import ReplicaError, ReplicaRefused
from transferplan import settings, statement, units
from transferplan.errors import PlanError
from transferworker import bounds

__virtualname__ = "replica"
PORTS = 65535
journal = logging.getLogger(__name__)


def __virtual__():
    return __virtualname__


def info(nonce=None):
    """
    Tell what this host's database is, whether it runs or not. Changes nothing.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``vendor``, ``version``, ``unit`` (``name``, ``active``, ``masked``, ``enabled``, ``pid``),
    ``running``, ``datadir``, ``datadir_exists``, ``datadir_is_mount``, ``was_replica``, ``files`` (what those in the
    data directory tell: ``schemas``, ``channels`` that name a primary, ``galera``, ``elsewhere``: what leads out of
    it), ``logs`` (binary log and relay log, where they lie outside of it: ``kind``, ``base``, with which the names of
    their files begin, ``files``, ``bytes``, ``directory_exists``, ``directory_is`` (without links), ``writable``,
    ``strange`` (names of what is no file of the server's), ``open_by`` (other processes)), ``processes`` (of servers
    that work in it), ``options_known`` (whether the options with which its unit starts it could be read), ``socket``,
    ``user``, ``variables`` (by name), ``configured`` (of a running one: where its data and logs would be if it were
    started anew), ``tools`` (backup tools and their versions), ``networks`` (IPv4 addresses of this host with the
    lengths of their networks), ``role`` (down, alone, primary, replica, relay: a replica with replicas), ``channels``
    (for each: ``name``, ``primary``, ``port``, ``primary_id``, ``user``, ``io``, ``sql``, ``lag`` in seconds or None,
    ``using_gtid``, ``read`` and ``executed`` (file, position), ``delay`` (seconds, on purpose), ``io_errno``,
    ``io_error``, ``sql_errno``, ``sql_error``, ``filters``), ``replicas`` (``server_id``, ``host``), ``clients`` (how
    many are connected), and of a running one ``galera``, ``schemas``, ``size`` (``schemas``, ``tables``, ``bytes``),
    ``plugins``, ``binlog`` (file, position), ``binlog_filters``. ``installation`` is what is under way, as
    ``replica.install`` returns it, else None; ``settled`` whether a clone was settled in this data directory.

    CLI Example:

    .. code-block:: bash

        salt 'db*' replica.info
    """

    def work():
        told, last = discovery.look(_place()), records.last(_state_dir())
        settled = bool(last) and last["datadir"] == told["datadir"]
        return {**told, "installation": _under_way(), "settled": settled}

    return _answer(nonce, work)


def check(prepared, confirm="", in_service=False, discard_own_writes=False, unprepared=False, nonce=None):
    """
    Tell everything that stands in the way of installing a prepared backup. Changes nothing.

    prepared, confirm, in_service, discard_own_writes
        As for ``replica.install``.

    unprepared : False
        Take a backup that is not prepared yet for one that is, which ``replica.install`` never does.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``fits``, ``reasons`` (sentences), ``logs`` (as ``replica.info`` has them: what lies outside of the
    data directory, and is moved aside).

    CLI Example:

    .. code-block:: bash

        salt db2 replica.check /srv/mysql.new confirm=db2
    """

    def work():
        wish = _wish(prepared, confirm, 0, in_service, discard_own_writes, given.truth("unprepared", unprepared))
        found = _place()
        against = installing.reasons(found, wish, __opts__["id"], _state_dir())
        return {"fits": not against, "reasons": against, "logs": logfiles.look(found)}

    return _answer(nonce, work)


def fitness(confirm="", confirm_in=None, in_service=False, discard_own_writes=False, nonce=None):
    """
    Tell whether this host's database may be replaced at all, before there is a backup. Changes nothing.

    confirm_in
        A list of names, one of which has to be this minion's, in place of ``confirm``.

    confirm, in_service, discard_own_writes
        As for ``replica.install``.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``fits``, ``reasons`` (sentences), ``info`` (as ``replica.info`` has it), ``replication_user`` (with
    which it would log in at a primary; empty if none is configured), ``free`` (bytes beside the data directory),
    ``incoming_exists`` (whether the place in which a clone would arrive is taken), ``old_data`` (where the old data of
    earlier installations still is).

    CLI Example:

    .. code-block:: bash

        salt db2 replica.fitness confirm=db2
    """

    def work():
        host = __opts__["id"]
        named = () if confirm_in is None else given.names("confirm_in", confirm_in)
        meant = host if host in named else given.text("confirm", confirm)
        permitted = given.truth("in_service", in_service), given.truth("discard_own_writes", discard_own_writes)
        told = discovery.look(_place())
        against = target.against_replacing(told, host, meant, *permitted)
        against += installing.against_datadir(told["datadir"], host)
        if _under_way():
            against.append(f"{host} has an installation under way: settle it, or take it back by replica.roll_back.")
        user = _own().replication.user
        beside = {**installing.beside(told["datadir"]), "old_data": records.old_data(_state_dir())}
        return {"fits": not against, "reasons": against, "info": told, "replication_user": user, **beside}

    return _answer(nonce, work)


def login(primary, port=3306, nonce=None):
    """
    Try whether this host can follow a primary with what it would replicate with: whether it is admitted, encrypted as
    its settings say, and may read the binary log. Changes nothing.

    primary
        Its address.

    port : 3306
        Its port.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``trouble`` (a sentence; empty if it can).

    CLI Example:

    .. code-block:: bash

        salt db2 replica.login 192.0.2.10
    """

    def work():
        where = given.text("primary", primary), given.whole("port", port, PORTS)
        version = discovery.configuration().get("version", "")
        return {"trouble": replicating.login_trouble(_own().replication, *where, version)}

    return _answer(nonce, work)


def prepare(target, memory=0, nonce=None):
    """
    Make a backup consistent, as ``xtrabackup.prepare`` does.

    target, memory
        As there.

    nonce
        What the signed answer must repeat; see the module.

    Returns what ``xtrabackup.info`` returns, and ``changed`` (False if it was prepared before).

    CLI Example:

    .. code-block:: bash

        salt db2 replica.prepare /srv/mysql.incoming memory=1GiB
    """

    def work():
        place, share = given.path("target", target), limit.chosen(memory, units.parse_size)
        changed = backing.prepare(place, share, _own().open_files)
        return {**backing.read(place).as_dict(), "changed": changed}

    return _answer(nonce, work)


def install(prepared, confirm, lease=300, in_service=False, discard_own_writes=False, nonce=None):
    """
    Stop and mask the server, and exchange its data directory for a prepared backup; the old one is kept beside it. A
    binary log or relay log that lies outside of it is moved aside, into a directory of its own beside it.

    prepared
        The directory with the prepared backup, on the file system of the data directory. It takes the name of that.

    confirm
        The name of this minion: whose data is replaced.

    lease : 300
        Seconds after which all is taken back unless the next step came. Each step lets it begin anew.

    in_service : False
        Also if clients are connected.

    discard_own_writes : False
        Also if it has transactions that nobody else has, or is down and may have been a primary.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``id`` (of this installation), ``step`` (how far it is: installed, started, pointed, replicating,
    proved), ``datadir``, ``kept`` (where the old data is; None if there was none), ``kept_logs`` (directories with the
    old logs that lay outside of it), ``prepared``, ``unit``, ``lease`` (seconds), ``backup`` (as ``xtrabackup.info``
    has it), ``trouble`` (why it could not be taken back yet; None otherwise). Refused with every reason, before
    anything is changed: a writable primary, a server with replicas, a node of Galera, a data directory that is a mount
    point, another file system, a backup that is not prepared, of a newer server, or in data that is in use or kept.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.install /srv/mysql.new confirm=db2
    """

    def work():
        wish = _wish(prepared, confirm, duration.checked(lease), in_service, discard_own_writes)
        return installing.install(_place(), wish, __opts__["id"], _state_dir())

    return _answer(nonce, work)


def start_isolated(nonce=None):
    """
    Start the server on its new data: read-only, without replication and without events, and look whether that is so.

    nonce
        What the signed answer must repeat; see the module.

    Returns what ``replica.info`` returns. If it does not start, or is not what it should be, the old data is put back,
    the server runs on it as before, and an error tells why.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.start_isolated
    """
    return _answer(nonce, lambda: installing.start_isolated(_own(), _state_dir()))


def point(primary, port=3306, coordinates=None, donor_is_primary=None, nonce=None):
    """
    Tell the isolated server whom to follow and from where. It does not begin yet.

    primary
        The address or name under which this host reaches the primary.

    port : 3306
        Its port.

    coordinates
        A mapping ``gtid``, or ``file`` and ``position``. Without it they are taken from the backup.

    donor_is_primary
        Whether the backup was taken from that primary itself (True) or from a replica of it (False). Needed without
        ``coordinates``.

    nonce
        What the signed answer must repeat; see the module.

    Returns the channel, as ``replica.info`` has it. The login comes from this minion's own configuration.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.point db1 donor_is_primary=True
    """

    def work():
        reached = given.text("primary", primary), given.whole("port", port, PORTS)
        chosen = given.place_in_log("coordinates", coordinates or _coordinates_of_backup(donor_is_primary))
        where = Coordinates(chosen["file"], chosen["position"], chosen["gtid"])
        if not _own().replication.user:
            raise ReplicaRefused([f"{__opts__['id']} has no replica:replication:user in its pillar or configuration."])
        return installing.point(_own(), _state_dir(), *reached, where)

    return _answer(nonce, work)


def start_replication(timeout=60, nonce=None):
    """
    Start both threads of replication and return when they run.

    timeout : 60
        Seconds for that.

    nonce
        What the signed answer must repeat; see the module.

    Returns the channel, as ``replica.info`` has it. If a thread does not run, an error has the server's own words; of
    an installation all is taken back then.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.start_replication
    """

    def work():
        patience = given.seconds("timeout", timeout)
        return _in_hold(lambda server: replicating.start(server, patience), "replicating")

    return _answer(nonce, work)


def wait(gtid="", lag=None, samples=3, timeout=600, nonce=None):
    """
    Wait until this replica has applied a position, or is close behind its primary.

    gtid
        The position that has to be applied.

    lag
        The most seconds that it may be behind.

    samples : 3
        In how many looks in a row.

    timeout : 600
        Seconds for all of that. An installation that is under way lasts as long, or for its lease if that is longer,
        and can be taken back meanwhile.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``gtid`` (what was asked for), ``lag`` (seconds; None if it was not asked for), ``position`` (what
    is applied now). An error at once if a thread stops with an error.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.wait gtid=0-1-4711 timeout=60
    """

    def work():
        what, patience = given.text("gtid", gtid), given.seconds("timeout", timeout)
        close = None if lag is None else (given.seconds("lag", lag), given.whole("samples", samples))
        if _under_way() is None:
            return _waited(what, close, patience)
        with holds.find(_state_dir(), holds.INSTALLATION).waiting(patience):
            return _waited(what, close, patience)

    return _answer(nonce, work)


def _waited(gtid, close, patience):
    server = _running().server
    if gtid:
        replicating.await_gtid(server, gtid, patience)
    late = None if close is None else replicating.await_lag(server, *close, patience)
    return {"gtid": gtid, "lag": late, "position": server.document("SELECT JSON_QUOTE(@@gtid_slave_pos)")}


def sample(nonce=None):
    """
    Tell where this server is in its binary log now: what a replica has to reach to be as new.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``gtid`` (the last transaction of every domain that is logged here), ``state`` (of every domain and
    server), ``file``, ``position``, ``server_id``.

    CLI Example:

    .. code-block:: bash

        salt db1 replica.sample
    """

    def work():
        server = _running().server
        query = "SELECT JSON_OBJECT('gtid', @@gtid_binlog_pos, 'state', @@gtid_binlog_state, 'server_id', @@server_id)"
        (at,) = server.rows("SHOW MASTER STATUS") or [{"File": "", "Position": 0}]
        return {**server.document(query), "file": at["File"], "position": int(at["Position"])}

    return _answer(nonce, work)


def log(nonce=None):
    """
    Tell how far back the binary log of this server reaches: from there on somebody can follow it.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``files`` (names, the oldest first; none without a binary log), ``begins`` (the GTID position at
    which the oldest begins; empty if it holds all).

    CLI Example:

    .. code-block:: bash

        salt db1 replica.log
    """
    return _answer(nonce, lambda: discovery.log(_running().server))


def pause(lease=300, nonce=None):
    """
    Halt the applying thread of this replica for a comparison. It runs again after the lease, whatever died.

    lease : 300
        Seconds, from now and from each further step.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``channel``, ``using_gtid``, ``executed`` (file, position).

    CLI Example:

    .. code-block:: bash

        salt db2 replica.pause lease=60
    """

    def work():
        seconds = duration.checked(lease)
        return replicating.pause(_running(), _state_dir(), seconds)

    return _answer(nonce, work)


def renew(what, nonce=None):
    """
    Let the lease of something that is held begin anew, because whoever goes on with it is busy elsewhere.

    what
        installation or pause. Whoever works at it just now renews it without being asked.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``renewed``; an error if there is no such thing.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.renew installation
    """

    def work():
        with holds.find(_state_dir(), str(what)).minding():
            return {"renewed": what}

    return _answer(nonce, work)


def advance(mark, timeout=600, nonce=None):
    """
    Let a paused replica apply all that came up to a mark of its primary, and stand there.

    mark
        A mapping with ``gtid``, ``file`` and ``position``, as ``replica.count`` returns it on the primary.

    timeout : 600
        Seconds for that.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``mark``.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.advance '{"gtid": "0-1-4711", "file": "", "position": 0}'
    """

    def work():
        until, patience = given.place_in_log("mark", mark), given.seconds("timeout", timeout)
        replicating.advance(_running(), _state_dir(), until, patience)
        return {"mark": mark}

    return _answer(nonce, work)


def go_on(nonce=None):
    """
    Let a paused replica run again.

    nonce
        What the signed answer must repeat; see the module.

    Returns the channel, as ``replica.info`` has it, when both threads run.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.go_on
    """
    return _answer(nonce, lambda: replicating.go_on(_running(), _state_dir()))


def count(name, stands=False, lock_others=False, nonce=None):
    """
    Count the rows of all tables with chunk checksums, and take digests of all definitions and accounts.

    name
        Letters and digits under which the result is kept on this host.

    stands : False
        On a paused replica: the tables as they stand. Otherwise in one consistent snapshot.

    lock_others : False
        Also tables of other engines than InnoDB; in a snapshot under a global read lock for as long as counting those
        takes. Two counts that are to be compared need the same here.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``mark`` (``gtid``, ``file``, ``position`` of what was counted), ``root`` (one digest over
    everything: equal on two servers whose data and definitions are equal), ``tables``, ``rows``, ``objects`` (how
    many), ``unproved`` (tables that were not counted: schema, name, engine; of many the first), ``unproved_in_all``
    (how many), ``seconds``, ``pages``.

    CLI Example:

    .. code-block:: bash

        salt db1 replica.count today
    """

    def work():
        return _count(str(name), given.truth("stands", stands), given.truth("lock_others", lock_others))

    return _answer(nonce, work)


def _count(name, stands, lock_others):
    found = _running()
    counting.check_version(found.options["version"])
    if not stands:
        return counting.count(found.server, _state_dir(), name, False, lock_others)
    with holds.find(_state_dir(), holds.PAUSE).working():
        return counting.count(found.server, _state_dir(), name, True, lock_others)


def page(name, number=0, nonce=None):
    """
    Show a part of what ``replica.count`` kept, to see where two servers differ.

    name
        As it was counted.

    number : 0
        Which page.

    nonce
        What the signed answer must repeat; see the module.

    Returns a list: ``[row, schema, table, rows, digest]`` for tables, then ``[definition, kind, name, digest]``.

    CLI Example:

    .. code-block:: bash

        salt db1 replica.page today 0
    """
    return _answer(nonce, lambda: counting.page(_state_dir(), str(name), given.whole("number", number)))


def proved(proof, installation="", nonce=None):
    """
    Note that an installation was proved. ``salt-run replica.prove`` calls it; by hand it is a word that you give.

    proof
        A mapping that says how, as the runner reports it.

    installation
        The ``id`` of the installation that was looked at, as ``replica.install`` and ``replica.info`` tell it. Refused
        if another is under way; without it the one that is under way is meant.

    nonce
        What the signed answer must repeat; see the module.

    Returns what ``replica.install`` returns; ``step`` is proved.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.proved '{"by": "hand"}'
    """

    def work():
        how, which = given.mapping("proof", proof), given.text("installation", installation)
        return installing.proved(_state_dir(), how, which)

    return _answer(nonce, work)


def settle(nonce=None):
    """
    Keep what was installed and proved: nothing takes it back any more. The old data stays until ``replica.drop_old``.
    Refused, and left as it is, unless the server runs then and both threads of replication do.

    nonce
        What the signed answer must repeat; see the module.

    Returns what ``replica.install`` returns, and ``proof`` (as it was noted), ``settled_at`` (seconds since 1970),
    ``older`` (where the old data of earlier installations still is) and ``older_logs`` (by old data, the directories of
    its logs). ``replica.last`` tells all of that from then on. The server stays read-only and its event scheduler off,
    also at its next start, by a drop-in of its unit, ``salt-transfer-replica.conf``; remove that when you promote it.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.settle
    """
    return _answer(nonce, lambda: installing.settle(_own(), _state_dir()))


def roll_back(lost="", nonce=None):
    """
    Take back an installation that was not settled: the old data, the unit and the server are as they were.

    lost
        The path of the old data, as ``kept`` tells it, if that is gone for good: all else is taken back then, and the
        server stays down. Or one of ``kept_logs``: the server then runs without those. Refused while it is there.

    nonce
        What the signed answer must repeat; see the module.

    Returns what ``replica.install`` returned, and ``told``: sentences about what is not quite as it was. The backup has
    its former name again. What cannot be taken back now is tried again every few seconds; until then the server stays
    stopped and masked, and ``installation`` of ``replica.info`` has the reason as ``trouble``.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.roll_back
    """
    return _answer(nonce, lambda: installing.roll_back(_state_dir(), given.text("lost", lost)))


def discard(nonce=None):
    """
    Remove the backup that arrived beside the data directory, as ``DATADIR.incoming``, and was not installed.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``removed`` (False if there is none). What is no backup, or has something mounted in it, is not
    removed.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.discard
    """
    return _answer(nonce, lambda: {"removed": installing.discard(_place(), _state_dir())})


def drop_old(confirm, nonce=None):
    """
    Remove the old data that a settled installation has kept, the last one or one before, and its logs with it.

    confirm
        Its path, as ``replica.settle`` and ``replica.last`` tell it (``kept``, ``older``). Logs whose data is gone have
        the path of their own directory.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``removed``, ``logs`` (directories that went with it), ``bytes`` and ``files`` (of all of it).
    Refused while a server works in any of them, or something is mounted there.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.drop_old confirm=/srv/mysql.before-20260101-120000-a1b2
    """
    return _answer(nonce, lambda: records.drop_old(_state_dir(), given.path("confirm", confirm)))


def last(nonce=None):
    """
    Tell of the last installation that was settled on this host.

    nonce
        What the signed answer must repeat; see the module.

    Returns what ``replica.settle`` returned, or an empty dict if none was.

    CLI Example:

    .. code-block:: bash

        salt db2 replica.last
    """
    return _answer(nonce, lambda: records.last(_state_dir()) or {})


# What they share.


def _wish(prepared, confirm, lease, in_service, discard_own_writes, unprepared=False):
    return installing.Wish(
        given.path("prepared", prepared), given.text("confirm", confirm), lease, given.truth("in_service", in_service),
        given.truth("discard_own_writes", discard_own_writes), unprepared,
    )


def _coordinates_of_backup(donor_is_primary):
    if donor_is_primary is None:
        raise ReplicaRefused(["Without coordinates, donor_is_primary has to tell whose backup it was."])
    backup = holds.find(_state_dir(), holds.INSTALLATION).document["backup"]
    found, against = positions.coordinates(backup, bool(donor_is_primary))
    if against:
        raise ReplicaRefused(against)
    return found


def _in_hold(work, step):
    """Do something with the running server; if it is a step of an installation, its failure takes all of that back."""
    if _under_way() is None:
        return work(_running().server)
    hold = holds.find(_state_dir(), holds.INSTALLATION)
    with hold.working():
        done = work(_running().server)
        hold.note(step=step)
    return done


def _under_way():
    hold = holds.under_way(_state_dir(), holds.INSTALLATION)
    return installing.summary(hold) if hold and hold.document else None


def _place():
    return discovery.place(_own())


def _running():
    found = _place()
    if not found.running:
        raise ReplicaRefused([f"No database answers at {found.socket} of {__opts__['id']}."])
    return found


def _own():
    return own.read(__opts__.get("replica"), __pillar__.get("replica"))


def _state_dir():
    return settings.on_host({}, (), __pillar__.get("transfer"), __opts__.get("transfer")).state_dir


def _answer(nonce, work):
    """What `work` returns or says in an error, signed when a nonce asks for that."""
    try:
        payload = work()
    except (ReplicaError, MoverError, HostToolError, PlanError, OSError) as trouble:
        error = DiskError(f"this minion cannot do it: {trouble}") if isinstance(trouble, OSError) else trouble
        if not nonce:
            raise CommandExecutionError(error.text) from trouble
        payload = {"error": bounds.error(error.as_dict())}
    except Exception as error:
        if not nonce:
            raise
        journal.exception("This is a bug of salt-transfer")
        unforeseen = LocalError(f"a bug: {error!r}; the traceback is in the minion's log")
        payload = {"error": bounds.error(unforeseen.as_dict())}
    if not nonce:
        return payload
    stated = statement.Question(__opts__["id"], nonce).state(payload)
    return {"statement": stated, "signature": saltface.sign(__opts__, statement.canonical(stated))}
