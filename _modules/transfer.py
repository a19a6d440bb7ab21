"""
One host's end of a transfer: what the runner ``transfer`` asks of a minion, and what a person may ask it too.

Every function takes a ``nonce``. With one, the answer is a statement signed with the minion's Salt key, in which an
error travels as ``{"error": {code, name, retryable, text, evidence}}``; without one it is the bare answer, and an error
is raised. The bytes are moved by a process of its own that outlives every job and the minion itself.

The minion's own configuration may hold settings and a policy::

    transfer:
      state_dir: /var/lib/salt-transfer
      keep_runs: 14d
      policy:
        sources: {allow: [/srv], deny: [/srv/secret]}
        destinations: [/srv]
        peers: ['db*']
        special: [setuid, capabilities, fifos]
"""

from collections.abc import Mapping

from salt.exceptions import CommandExecutionError

import saltface
from datamover.errors import DiskError, MoverError
from hosttools.errors import HostToolError
from transferplan import inforce, settings, statement, targets
from transferplan.errors import BadOption, PlanError, Refused
from transferworker import bounds
from transferworker import facts as looking
from transferworker.desk import Desk
from transferworker.limits import Limits
from transferworker.login import Login
from transferworker.policy import Policy

__virtualname__ = "transfer"

__func_alias__ = {"list_": "list", "settings_": "settings"}


def __virtual__():
    return __virtualname__


def facts(ask, nonce=None):
    """
    Tell all that a plan must know of this host and of one place on it. Changes nothing.

    ask
        A mapping: ``role`` (source or destination), ``path`` (absolute; bytes that are no printable ASCII as %XX),
        ``peers`` (a list of ``{host}``), ``settings`` (options as the runner takes them), ``given`` (names of options
        that this host's own configuration cannot change), ``budget`` (seconds for counting the source; 3).

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``host``, ``version``, ``salt``, ``python``, ``uid``, ``systemd``, ``interfaces`` (name, address,
    prefix, family), ``digests``, ``cpus``, ``load``, ``memory_available`` (bytes), ``firewall``, ``ports``, ``source``
    or ``destination`` (sizes in bytes), ``policy`` (``reasons``: what this minion forbids), ``running`` (transfer ids),
    ``trouble`` (what could not be found out), ``settings``.

    CLI Example:

    .. code-block:: bash

        salt db1 transfer.facts '{"role": "source", "path": "/srv/data"}'
    """
    return _answer(nonce, lambda: _facts(ask), *_whose(ask))


def matches(expression, kind="compound", nonce=None):
    """
    Tell whether this minion is meant by a Salt target expression. Changes nothing.

    expression
        The expression, as Salt's own commands take it.

    kind : compound
        Its type: glob, list, pcre, grain, grain_pcre, pillar, pillar_pcre, compound.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``matches``.

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.matches 'G@role:replica and db*'
    """
    return _answer(nonce, lambda: {"matches": _is_meant(expression, kind)})


def prepare(spec, nonce=None):
    """
    Start the worker for one end of a transfer. The same spec again attaches to it.

    spec
        What this host shall do, as the plan of the runner makes it (a mapping; see the documentation of the formats).

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``attached``, ``certificate`` (PEM), ``port`` (None at a source), ``addresses`` (by address of the
    peer: the own one on the way there), ``pid``, ``unit`` (None without systemd), ``phase``.

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.prepare "$(cat spec.json)"
    """
    return _answer(nonce, lambda: _prepare(spec), *_whose(spec))


def queue(transfer, at, same="", leave=False, role="", attempt=0, nonce=None):
    """
    Wait for a place among the transfers in which this host takes part at once, or give the place in the queue back.

    transfer
        Its id: 32 hex digits.

    at
        When it was asked for, in seconds since 1970 by the clock of the master: who asked first comes first.

    same
        What is alike for each request for the same thing: such a one takes over a place that somebody left who died.

    leave : False
        Give the place back.

    role, attempt
        Only repeated in the signed answer.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``turn`` (whether it may begin now), ``running`` and ``waiting`` (transfer ids: those that take part
    now, and those that come before this one), ``at`` (since when it waits), ``most`` (how many may take part; 0: any
    number). A place is kept for a minute; asking again renews it.

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.queue 0123456789abcdef0123456789abcdef 1767225600
    """
    wanted = str(transfer), float(at), str(same), bool(leave)
    return _answer(nonce, lambda: _desk().queue(*wanted), transfer, role, attempt)


def arm(transfer, roster, role="", attempt=0, nonce=None):
    """
    Tell a worker who takes part. A destination then opens its pinhole and listens.

    transfer
        Its id: 32 hex digits.

    roster
        The mapping that every end gets: ``transfer``, ``attempt``, ``epoch``, ``members``.

    role
        source or destination; only needed where both ends are on one host.

    attempt : 0
        Answer only if this attempt is the one at hand; 0 takes whichever it is.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``phase``.

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.arm 0123456789abcdef0123456789abcdef "$(cat roster.json)"
    """
    return _answer(nonce, lambda: _desk().arm(transfer, roster, role, attempt), transfer, role, attempt)


def go(transfer, role="", attempt=0, nonce=None):
    """
    Let an armed source begin. Without it the worker undoes itself after its lease.

    transfer
        Its id: 32 hex digits.

    role
        source; only needed where both ends are on one host.

    attempt : 0
        Answer only if this attempt is the one at hand; 0 takes whichever it is.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``phase``.

    CLI Example:

    .. code-block:: bash

        salt db1 transfer.go 0123456789abcdef0123456789abcdef
    """
    return _answer(nonce, lambda: _desk().go(transfer, role, attempt), transfer, role, attempt)


def follow(transfer, after_seq=0, wait=0, role="", attempt=0, nonce=None):
    """
    Wait until something happens in a transfer, and tell its status.

    transfer
        Its id: 32 hex digits.

    after_seq : 0
        The number of the last event that is known: only later ones are told, at most 50.

    wait : 0
        Seconds to wait for one, at most 60.

    role
        source or destination; only needed where both ends are on one host.

    attempt : 0
        Answer only if this attempt is the one at hand; 0 takes whichever it is.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``transfer``, ``attempt``, ``role``, ``host``, ``phase``, ``seq`` (of the last event told),
    ``alive``, ``progress`` (bytes and files), ``phases`` (seconds since it began), ``wall`` (when it began),
    ``curve`` (at most 120 points of seconds and bytes), ``events``, ``verdict`` (None before the end; then everything
    of the worker is gone from the host).

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.follow 0123456789abcdef0123456789abcdef after_seq=7 wait=10
    """
    return _answer(nonce, lambda: _desk().follow(transfer, after_seq, wait, role, attempt), transfer, role, attempt)


def status(transfer, role="", nonce=None):
    """
    Tell how far a transfer is on this host, or how it ended.

    transfer
        Its id: 32 hex digits.

    role
        source or destination; only needed where both ends are on one host.

    nonce
        What the signed answer must repeat; see the module.

    Returns the same dict as ``transfer.follow``.

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.status 0123456789abcdef0123456789abcdef
    """
    return _answer(nonce, lambda: _desk().status(transfer, role), transfer, role)


def record(transfer, role="", nonce=None):
    """
    Tell what was asked of this host's end of a transfer last, and how far it came.

    transfer
        Its id: 32 hex digits.

    role
        source or destination; only needed where both ends are on one host.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``spec`` (as ``transfer.prepare`` took it), ``status`` (as ``transfer.status`` tells it, without
    events).

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.record 0123456789abcdef0123456789abcdef
    """
    return _answer(nonce, lambda: _desk().record(transfer, role), transfer, role)


def list_(after=0, transfers=(), without=(), nonce=None):
    """
    List the transfers that this host takes or took part in: those that live first, then those that are dead or rest,
    then the last that ended well and the last that did not of each place, then what else is over, each the newest
    first.

    after : 0
        Leave out that many at the beginning: at most 100 are told at once, and at most as many as fit into one answer.

    transfers
        Only these, as a list or separated by commas.

    without
        Leave these out, as a list or separated by commas: each by its id and role, such as ID-source.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``runs`` (for each: transfer, attempt, role, host, path, peers, asked_by, phase, alive, rests:
    whether what had arrived is kept, last: whether it is the last of its place that is over, age in seconds, ended_at:
    when it ended by this host's clock, in seconds since 1970, or None, bytes, error, wall), ``more`` (how many follow).

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.list
        salt db2 transfer.list after=100
    """
    return _answer(nonce, lambda: _desk().runs(after, _listed(transfers), _listed(without)))


def log(transfer, after=0, limit=500, role="", nonce=None):
    """
    Show what the worker of a transfer wrote into its log.

    transfer
        Its id: 32 hex digits.

    after : 0
        Leave out that many lines at the beginning.

    limit : 500
        At most so many lines, and at most as many as fit into one answer.

    role
        source or destination; only needed where both ends are on one host.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``lines``, ``more`` (whether there are further ones), ``peers`` (all others that take part: host,
    role).

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.log 0123456789abcdef0123456789abcdef after=500
    """
    return _answer(nonce, lambda: _desk().log(transfer, after, limit, role), transfer, role)


def verify(transfer, shown=200, role="", nonce=None):
    """
    Read again what a transfer left on this host, and compare it with its record. Takes as long as reading does.

    transfer
        Its id: 32 hex digits. Its records are kept as long as ``keep_runs`` says.

    shown : 200
        How many differences to tell in detail; all are counted.

    role
        source or destination; only needed where both ends are on one host.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``verified`` (whether everything is as it was proved), ``path``, ``entries`` and ``bytes`` (read),
    ``trusted`` (files whose bytes had not been proved and were only measured), ``counts`` (missing, kind, content,
    metadata, extra, unreadable), ``troubles`` (the first of them: ``path``, ``what``, ``why``), ``more`` (how many
    further ones), ``algorithm``, ``root`` (over what is there now; None where not only bytes differ), ``sealed_root``.

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.verify 0123456789abcdef0123456789abcdef
    """
    return _answer(nonce, lambda: _desk().verify(transfer, shown, role), transfer, role)


def limit(transfer, rate, role="source", nonce=None):
    """
    Change how much a transfer may send in a second, while it runs.

    transfer
        Its id: 32 hex digits.

    rate
        Such as 50MB/s or 1Gbit/s; 0 or none lifts the limit.

    role : source
        The source holds a limit, and in a chain every destination does, for what it passes on.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``limit`` (bytes a second that are in force now, 0 for no limit), ``before`` (those that were),
    ``phase``, and in a chain ``chain`` (the other hosts: host, role).

    CLI Example:

    .. code-block:: bash

        salt db1 transfer.limit 0123456789abcdef0123456789abcdef 50MB/s
    """
    return _answer(nonce, lambda: _desk().limit(transfer, settings.read("limit", rate), role), transfer, role)


def cancel(transfer, role="", keep=False, attempt=0, nonce=None):
    """
    End this host's part of a transfer and wait until everything is undone. Can be repeated; what is published stays.

    transfer
        Its id: 32 hex digits.

    role
        source or destination; only needed where both ends are on one host.

    keep : False
        Leave in staging what has arrived, as after a failure, so that another attempt can go on with it.

    attempt : 0
        Answer only if this attempt is the one at hand; 0 takes whichever it is.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``phase`` (published, failed or cancelled), ``peers`` (all others that take part: host, role).

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.cancel 0123456789abcdef0123456789abcdef
    """
    return _answer(nonce, lambda: _desk().cancel(transfer, role, keep, attempt), transfer, role, attempt)


def sweep(test=False, partial=False, unknown=False, places=(), nonce=None):
    """
    Remove what dead transfers left on this host, and records older than ``keep_runs``. Live ones are not touched.

    test : False
        Only list it.

    partial : False
        Also give up data that ``keep_partial`` left in staging.

    unknown : False
        Also list and remove staging directories that no record here knows, beside the destinations of all records.
        What another host made on shared storage, or another ``state_dir``, is listed and left.

    places
        With ``unknown``: further directories to look in, as a list or separated by commas.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``found`` and ``removed`` (lists; for each: ``what``, and which transfer and path) and ``trouble``
    (sentences about what could not be looked at or removed).

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.sweep test=True
        salt db2 transfer.sweep unknown=True places=/srv,/var/lib test=True
    """
    return _answer(nonce, lambda: _desk().sweep(test, partial, unknown, _listed(places)))


def doctor(places=(), nonce=None):
    """
    Find what is left over or odd on this host, and tell what to do about it. Changes nothing.

    places
        Further directories in which staging may lie, as a list or separated by commas; those of all recorded
        destinations are looked at anyway.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``findings`` (for each: ``what``, ``advice``, and as far as they apply ``transfer``, ``role``,
    ``path``, ``age`` in seconds, ``bytes``), ``trouble`` (what could not be looked at), ``version``, ``clock`` (seconds
    since 1970 on this host), ``boot``.

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.doctor
    """
    return _answer(nonce, lambda: _desk().doctor(_listed(places)))


def audit(after=0, limit=200, transfer="", nonce=None):
    """
    Show this host's audit trail: what was moved, opened and refused here, and who asked. Changes nothing.

    after : 0
        Only lines with numbers beyond this one.

    limit : 200
        How many at most; 500 are the most.

    transfer
        Only lines about this one.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``lines`` (the oldest first, for each: ``n``, ``at``, ``what`` and what belongs to it; see the
    operations page) and ``more`` (whether there are further ones).

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.audit transfer=0123456789abcdef0123456789abcdef
    """
    return _answer(nonce, lambda: _desk().audit(int(after), int(limit), str(transfer)))


def settings_(asked=None, given=(), nonce=None):
    """
    Tell what is in force on this host: its own options, which layer says so, and what it permits. Changes nothing.

    asked
        What a master would ask for, as the runner sends it: a mapping of options.

    given
        Names of options that this host's own configuration cannot change.

    nonce
        What the signed answer must repeat; see the module.

    Returns a dict: ``settings`` (for each option: ``value`` and ``from``), ``policy`` (as it stands in this minion's
    configuration; None if it has none), ``trouble`` (what is wrong with the configuration).

    CLI Example:

    .. code-block:: bash

        salt db2 transfer.settings
    """
    return _answer(nonce, lambda: _in_force(asked or {}, given))


# What they share.


def _answer(nonce, work, transfer="", role="", attempt=0):
    """What `work` returns or says in an error, signed when a nonce asks for that."""
    try:
        payload = work()
    except (MoverError, HostToolError, PlanError, OSError) as trouble:
        error = DiskError(f"this minion cannot do it: {trouble}") if isinstance(trouble, OSError) else trouble
        if not nonce:
            raise CommandExecutionError(error.text) from trouble
        payload = {"error": bounds.error(error.as_dict())}
    return _signed(payload, nonce, transfer, role, attempt) if nonce else payload


def _signed(payload, nonce, transfer, role, attempt):
    question = statement.Question(__opts__["id"], nonce, transfer, attempt, role)
    stated = question.state(payload)
    return {"statement": stated, "signature": saltface.sign(__opts__, statement.canonical(stated))}


def _whose(document):
    """(transfer, role, attempt) of a question or spec, as far as it is one."""
    known = document if isinstance(document, Mapping) else {}
    attempt = known.get("attempt", 0)
    return str(known.get("transfer", "")), str(known.get("role", "")), attempt if isinstance(attempt, int) else 0


def _is_meant(expression, kind):
    if kind not in (*targets.BY_NAME, *targets.BY_MINION):
        raise Refused([BadOption.reason(f"kind must be a type of Salt target expressions, not {kind!r}")])
    return bool(__salt__[f"match.{kind}"](expression))


def _listed(places):
    return [each for each in places.split(",") if each] if isinstance(places, str) else places


def _desk():
    return _desk_of(_sound()[0])


def _desk_of(own):
    limits = Limits(own.keep_runs, own.keep_runs_bytes, own.keep_partial_bytes, own.max_transfers)
    return Desk(own.state_dir, __opts__["id"], limits)


def _prepare(spec):
    """A host whose configuration cannot be understood begins nothing; what began before can be looked at and ended."""
    own, troubles = _sound()
    if troubles:
        raise Refused(map(BadOption.reason, troubles))
    return _desk_of(own).prepare(spec, _policy(own.state_dir), _login())


def _login():
    """With what this host's own database is logged in to: the minion's configuration before its pillar."""
    return Login.read(__opts__.get("replica"), __pillar__.get("replica"))


def _sound(asked=None, given=()):
    """(the settings in force on this host, what is wrong with others that stand in its configuration)."""
    return settings.sound_on_host(asked or {}, given, __pillar__.get("transfer"), __opts__.get("transfer"))


def _in_force(asked, given):
    own, trouble = _sound(asked, given)
    config = __opts__.get("transfer")
    policy = config.get("policy") if isinstance(config, Mapping) else None
    return {"settings": inforce.rows(own, "host", "minion"), "policy": policy, "trouble": trouble}


def _policy(state_dir):
    config = __opts__.get("transfer")
    return Policy.read(config.get("policy") if isinstance(config, Mapping) else None, state_dir)


def _facts(ask):
    """What cannot be understood is told beside all else that is found, so that the plan has every reason at once."""
    known = ask if isinstance(ask, Mapping) else {}
    own, trouble = _sound(known.get("settings"), known.get("given", ()))
    policy = _policy(own.state_dir)
    about = __opts__["id"], __grains__.get("saltversion", ""), own.state_dir, own.values("host")
    host = looking.Host(*about, policy, _login())
    told = looking.look(host, ask)
    return {**told, "max_transfers": own.max_transfers, "trouble": trouble + told["trouble"]}
