"""
Replicas of MariaDB, rebuilt from a live server and proved to be equal to their primary.

Repairs that nobody asked for by hand are permitted in the master's configuration (docs/options.md tells of
every setting)::

    replica_repair:
      clusters:
        main: {primary: db1, replicas: [db2, db3]}
      cooldown: 3600        # seconds from the beginning of a repair to the next one of that host
      daily: 2              # repairs of one cluster within a day
      approve: false        # true only proposes, until replica.approve

Results are dicts with ``result``, ``reasons`` and ``retcode``, which is also the exit status: 0 if all is well, 2 for
a failure, 3 for a refusal that has changed nothing, 5 if some replicas were rebuilt and others left as they were, 6 if
the runner was interrupted.
"""

import contextlib
import functools

import saltface
from replicamaster import cloning, given, looks, proving, repairing
from replicamaster.asking import Hosts
from replicamaster.courier import Courier
from replicamaster.ledger import Book
from replicaplan import lease as duration
from replicaplan import memory as limit
from replicaplan import repair
from replicaplan.errors import RepairForbidden, ReplicaError, ReplicaRefused
from transfermaster import calling, drive, telling
from transferplan import units
from transferplan.errors import PlanError

__virtualname__ = "replica"

OK, FAILED, REFUSED, PARTIAL, UNKNOWN = 0, 2, 3, 5, 6

# What people are told in words: how something ended that they waited for, always; all else, unless they ask for it in
# another form.
ENDINGS = {
    "clone": looks.clone_lines,
    "prove": looks.prove_lines,
    "recover": looks.recover_lines,
    "approve": looks.recover_lines,
}
LOOKS = {"patrol": looks.patrol_lines, "proposals": looks.proposal_lines}


def __virtual__():
    return __virtualname__


def _face(function):
    """Makes of a function what Salt may call: whatever it is given and whatever happens, its exit status is true."""

    @functools.wraps(function)
    def face(*args, **kwargs):
        answer = _answer(function, args, calling.without_salts_own(kwargs))
        __context__["retcode"] = answer["retcode"]
        lines = telling.words(__opts__, function.__name__, ENDINGS, LOOKS)
        return telling.for_salt(__opts__, f"{__virtualname__}.{function.__name__}", answer, lines)

    # Salt must not find the true signature, else it refuses arguments in its own way before we see them.
    del face.__wrapped__
    return face


def _answer(function, args, named):
    misfit = calling.misfit(function, __virtualname__, args, named)
    if misfit:
        return _result({}, "refused", [misfit], REFUSED)
    try:
        return _caught(lambda: function(*args, **named))
    except (KeyboardInterrupt, SystemExit):
        text = "Interrupted: what was begun on a host and not settled is taken back there, at the latest by its lease."
        return _result({}, "unknown", [text], UNKNOWN)


def _caught(work):
    """What `work` returns, or a result that tells what it raised; who interrupts it, interrupts its callers too."""
    try:
        return work()
    except ReplicaRefused as error:
        return _result({}, "refused", error.evidence["reasons"], REFUSED)
    except RepairForbidden as error:
        return _result({}, "refused", [error.text], REFUSED)
    except (ReplicaError, PlanError) as error:
        return _result({"error": error.as_dict()}, "failed", [error.text], FAILED)
    except Exception as error:
        return _result({}, "failed", [drive.bug(error).text], FAILED)


@_face
def clone(
    source,
    replicas,
    primary=None,
    address="",
    port=0,
    confirm=None,
    test=False,
    in_service=False,
    discard_own_writes=False,
    lock_others=False,
    keep_old=True,
    memory=0,
    lease=600,
    timeout=3600,
    options=None,
):
    """
    Rebuild replicas from one backup of a live server, and prove each of them before its old data is given up.

    source
        The minion whose database is backed up; it goes on meanwhile.

    replicas
        The minions to rebuild: a list, or words with commas. One that lost the backup on its way gets it from another
        that has it; one that cannot have or prepare it is left as it was, and named when the others are done. Then one
        after the other; the first that fails ends it, because each further server would be stopped for the same data.

    primary : the source
        The minion that the replicas shall follow, if the source is a replica itself.

    address, port
        Where the replicas reach the primary, if that is not found out rightly.

    confirm
        The names of the replicas once more: their data is replaced. (The old data stays beside the new.)

    test : False
        Only check everything; nothing is changed.

    in_service, discard_own_writes
        As for the module function ``replica.install``.

    lock_others : False
        Compare tables of other engines than InnoDB too, under a global read lock on the primary meanwhile.

    keep_old : True
        Otherwise the old data is removed when the new was proved.

    memory : a quarter of what is available
        How much preparing may use on each replica.

    lease : 600
        Seconds after which a replica takes back what was begun when nobody goes on.

    timeout : 3600
        Seconds for a replica to reach a position in the proof: what is written while a large primary is counted has to
        be applied within them.

    options
        A mapping of further options of ``transfer.copy``. Places, ``type`` and others that a clone says itself are
        refused.

    Returns a dict: ``result`` (ok, partial, failed, refused, planned, unknown), ``reasons``, ``retcode``, and if ok or
    partial ``source``, ``primary``, ``copy`` (of the copy, as ``transfer.copy`` returns them: ``transfer``,
    ``receipt``, ``phases``, ``bottleneck``, ``destinations``; and ``completed``, the same of what went from a replica
    to those that had lost it), ``replicas`` (for each ``proof``, as ``replica.prove`` returns it, ``datadir``,
    ``kept``, ``kept_logs`` (of the old data, where they lay outside of it), and ``note`` if old data could not be
    removed), ``left`` (for each that was left out the reason), ``seconds`` (by step, and in ``total``). If failed,
    ``error`` tells in ``evidence`` which replicas were ``settled`` before, and which are ``left``. If planned,
    ``source`` and ``replicas`` (places, as a transfer names them), ``addresses`` (of the primary, by replica) and
    ``logs`` (by replica, what will be moved aside).

    CLI Example:

    .. code-block:: bash

        salt-run replica.clone db1 db2,db3 confirm=db2,db3
    """
    wish = cloning.Wish(
        given.minion("source", source), given.some_minions("replicas", replicas),
        given.minion("primary", source if primary is None else primary), _address(address),
        given.value("port", given.PORT, port), given.minions("confirm", () if confirm is None else confirm),
        in_service=given.truth("in_service", in_service),
        discard_own_writes=given.truth("discard_own_writes", discard_own_writes),
        lock_others=given.truth("lock_others", lock_others), keep_old=given.truth("keep_old", keep_old),
        lease=duration.checked(lease), memory=limit.chosen(memory, units.parse_size),
        timeout=given.value("timeout", given.WAIT, timeout),
    )
    further = given.copy_options({} if options is None else options)
    if given.truth("test", test):
        return _good(_planned(wish), "planned")
    report = _alone(wish, further)
    return _result(report, "partial", report["reasons"], PARTIAL) if report["left"] else _good(report, "ok")


@_face
def prove(replica, primary, lock_others=False, timeout=3600):
    """
    Compare a replica with its primary at one position of the log, while both go on. If an installation is under way on
    the replica, a proof is noted there, and ``replica.settle`` can end it.

    replica
        The minion of the replica. Its applying thread stands while it is counted, and catches up afterwards.

    primary
        The minion of the primary. It is counted in a consistent snapshot.

    lock_others : False
        Compare tables of other engines than InnoDB too, under a global read lock on the primary meanwhile; otherwise
        they are listed as unproved.

    timeout : 3600
        Seconds for the replica to reach a position.

    Returns a dict: ``result`` (ok, failed, refused, unknown), ``reasons``, ``retcode``, and if both could be looked at
    ``primary``, ``replica``, ``proved``, ``checks`` (``what``, ``ok``, ``text``: that what the primary logged after the
    start arrived, that both were counted at one position, rows and definitions equal, both threads run, whom it
    follows, read_only, no transactions of its own), ``compared`` (``mark``, ``root``, ``tables``, ``rows``,
    ``objects``, ``seconds``), ``unproved`` (schema, table, engine; of many the first), ``unproved_in_all`` (how many).

    CLI Example:

    .. code-block:: bash

        salt-run replica.prove db2 db1
    """

    told = proving.prove_installed(
        _hosts(), given.minion("primary", primary), given.minion("replica", replica),
        given.truth("lock_others", lock_others), given.value("timeout", given.WAIT, timeout),
    )
    return _good(told, "ok") if told["proved"] else _result(told, "failed", told["reasons"], FAILED)


@_face
def recover(host, test=False):
    """
    Rebuild a replica if it is broken, and if all guards permit it. An alert only names the host.

    host
        A minion that somebody says is broken. What is so is found out anew; a stale or forged alert changes nothing.

    test : False
        Only tell what would be done.

    Returns a dict: ``result`` (healthy, unsettled, forbidden, proposed, repaired, refused, failed, unknown; with
    ``test=True`` broken, if it would be repaired or proposed), ``host``, ``reasons``, ``retcode``, and ``report`` (as
    ``replica.clone`` returns it), ``proposal`` (its name), or with ``test=True`` ``donor`` (the minion from which it
    would be rebuilt). Refused: a repair was due, and what it needs is not so, such as room; its server is as it was.
    Unsettled: for a minute it, its primary, or (of one that is down) any other of its cluster could not be asked, or
    systemd was starting or stopping it. Forbidden: a primary, or what may be or have been one, a server with replicas,
    one that follows nobody, one that was masked by a person, one of a cluster in which another server than the
    configured primary may be the primary, a second repair in it, one within the cooldown or beyond the daily number.
    Each attempt counts, also one that fails.

    CLI Example:

    .. code-block:: bash

        salt-run replica.recover db2 test=True
    """
    return _recover(given.minion("host", host), given.truth("test", test), approved=False)


@_face
def patrol():
    """
    Look at all replicas of all clusters, and recover those that are broken. Meant for cron on the master.

    Returns a dict: ``result`` (ok, failed, unknown), ``reasons``, ``retcode``, ``hosts`` (for each what
    ``replica.recover`` returns). Failed: a repair failed, or was due and refused. Unknown: somebody interrupted it, and
    the hosts that it had not come to were left alone.

    CLI Example:

    .. code-block:: bash

        salt-run replica.patrol
    """
    replicas = [host for cluster in _rules().clusters for host in cluster.replicas]
    found = {host: _recover(host, test=False, approved=False, patience=0) for host in replicas}
    wrong = [reason for each in found.values() if each["retcode"] != OK for reason in each["reasons"]]
    return _result({"hosts": found}, "failed" if wrong else "ok", wrong, FAILED if wrong else OK)


@_face
def proposals():
    """
    List the repairs that wait for a person.

    Returns a dict: ``result``, ``reasons``, ``retcode``, ``proposals`` (by name: ``host``, ``cluster``, ``at``,
    ``reasons``, ``donor``), ``attempts`` (what was repaired by itself: ``host``, ``cluster``, ``at`` as seconds since
    1970, ``result``, ``down``: whether its server was down before).

    CLI Example:

    .. code-block:: bash

        salt-run replica.proposals
    """
    known = Book(_rules().state).read()
    return _good({"proposals": dict(known.proposals), "attempts": [vars(each) for each in known.attempts]}, "ok")


@_face
def approve(proposal):
    """
    Carry out a repair that was proposed, if it is still needed and the other guards permit it. A proposal stays until
    the repair has begun, or its host is found to be well.

    proposal
        Its name, as ``replica.proposals`` lists it.

    Returns what ``replica.recover`` returns.

    CLI Example:

    .. code-block:: bash

        salt-run replica.approve r0123456789a
    """
    return _recover(Book(_rules().state).proposal(str(proposal))["host"], test=False, approved=True)


# What they share.


def _planned(wish):
    plan = cloning.look(_hosts(), wish)
    places = [plan.target_place(host) for host in wish.replicas]
    logs = {host: list(moved) for host, moved in plan.logs.items() if moved}
    return {"source": plan.source_place, "replicas": places, "addresses": dict(plan.addresses), "logs": logs}


def _alone(wish, options):
    """Nothing is repaired by itself in a cluster while somebody clones there."""
    rules = _rules()
    clusters = filter(None, map(rules.cluster_of, wish.replicas))
    with contextlib.ExitStack() as held:
        for name in sorted({cluster.name for cluster in clusters}):
            held.enter_context(Book(rules.state).only_one(name))
        return _clone(wish, options)


def _recover(host, test, approved, patience=repairing.SETTLING):
    return {"host": host, **_caught(lambda: _examined(host) if test else _repaired(host, approved, patience))}


def _examined(host):
    """What would be done."""
    _, decision = repairing.examine(_hosts(), _rules(), host)
    return _result({"donor": decision.donor}, decision.verdict, decision.reasons, OK)


def _repaired(host, approved, patience):
    told = repairing.recover(_hosts(), _rules(), host, _rebuild, _tell, approved, patience)
    return _result(told, told["result"], told["reasons"], OK)


def _rebuild(cluster, host, donor):
    return _clone(cloning.Wish(donor, (host,), cluster.primary, confirm=(host,), in_service=True), {})


def _clone(wish, options):
    return cloning.clone(_hosts(), wish, Courier(__salt__, options), _tell)


def _tell(what, details):
    """People who look on hear of it on stderr, everybody else on the bus."""
    saltface.screen(__opts__, quiet=False).say([looks.step_line(what, details)])
    with contextlib.suppress(Exception):
        __salt__["event.send"](f"salt/replica/{what}", dict(details))


def _hosts():
    return Hosts(__opts__)


def _rules():
    return repair.rules(__opts__.get("replica_repair"))


def _address(text):
    if not isinstance(text, str):
        raise ReplicaRefused([f"address has to be an address or a name, not {text!r}."])
    return text


def _good(body, result):
    return _result(body, result, body.get("reasons", ()), OK)


def _result(body, result, reasons, retcode):
    return {**body, "result": result, "reasons": list(reasons), "retcode": retcode}
