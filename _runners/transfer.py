"""Moves files and directory trees from one Salt minion to others, directly, and proves that they arrived.

Every function returns one dict. In it `retcode` is the exit status of `salt-run`, `result` the same in a word, and
`reasons` a list of {code, name, text} for whatever is not as asked. What people want to see goes to stderr, so that
stdout can be parsed.

A transfer does not need the runner: once begun it goes on without it, and from any process of the master the functions
below can look at it, end it, and clean up after it.
"""

import functools
import os
from dataclasses import replace

import saltface
from transfermaster import (
    asking,
    background,
    calling,
    copying,
    drive,
    exposing,
    joining,
    looking,
    noted,
    showing,
    telling,
    unbegun,
    verifying,
    watching,
)
from transferplan import (
    display,
    errors,
    habits,
    inventory,
    looks,
    naming,
    probing,
    report,
    request,
    settings,
    whose,
    words,
)
from transferplan import overview as overviews
from transferplan.kinds import Span, Truth, Whole
from transferplan.options import COMMAND, DAY, describe

__func_alias__ = {"list_": "list", "settings_": "settings"}

MANY = 2**53
COPYING = ("copy", "plan", "start")


# --- what Salt calls -------------------------------------------------------------------------------------------------


def _face(function):
    """Makes of a function what Salt may call: whatever it is given and whatever happens, its exit status is true.

    Salt ends with status 0 when a runner raises TypeError or returns False, and prints a traceback for anything else.
    """

    @functools.wraps(function)
    def face(*args, **kwargs):
        args, given = words.as_typed(args, calling.without_salts_own(kwargs), _typed(__opts__))
        asker = whose.asked_by(__opts__, globals().get("__user__"), kwargs, os.environ.get("SUDO_USER"))
        __context__["asked_by"] = asker
        answer = _answer(function, args, given)
        __context__["retcode"] = answer["retcode"]
        return _for_salt(function.__name__.rstrip("_"), given, answer)

    # Salt must not find the true signature, else it refuses arguments in its own way before we see them.
    del face.__wrapped__
    face.__doc__ = (function.__doc__ or "").replace("    OPTIONS\n", describe())
    return face


# What people are told in words: how something ended that they waited for, always; all else, unless they ask for it in
# another form.
ENDINGS = dict.fromkeys(("copy", "plan", "resume", "attach"), display.answer_lines)
LOOKS = {
    "start": looks.start_lines,
    "pull": looks.start_lines,
    "tend": looks.tend_lines,
    "list": looks.list_lines,
    "status": looks.status_lines,
    "cancel": looks.cancel_lines,
    "doctor": looks.doctor_lines,
    "sweep": looks.sweep_lines,
    "audit": looks.audit_lines,
    "log": looks.log_lines,
    "overview": looks.overview_lines,
    "watch": looks.watch_lines,
    "metrics": looks.metrics_lines,
    "limit": looks.limit_lines,
    "settings": looks.settings_lines,
    "verify": looks.verify_lines,
}


def _for_salt(name, given, answer):
    def quiet():
        asked = {"quiet": given["quiet"]} if "quiet" in given else {}
        return settings.sound([*saltface.master_layers(__opts__), (COMMAND, asked)])[0].quiet

    lines = telling.words(__opts__, name, ENDINGS, LOOKS)
    return telling.for_salt(__opts__, f"transfer.{name}", answer, lines, quiet)


def _typed(opts):
    """The words of a command line that names places; None where there is none, as in an orchestration."""
    return opts.get("arg") if opts.get("fun") in [f"transfer.{name}" for name in COPYING] else None


def _answer(function, args, given):
    try:
        _refuse_misfits(function, args, given)
        return function(*args, **given)
    except errors.Refused as refused:
        return asking.ending("refused", refused.reasons)
    except errors.PlanError as error:
        return asking.ending("failed", [error.as_reason()])
    except (KeyboardInterrupt, SystemExit):
        return asking.ending("unknown", [errors.OutOfSight.reason("interrupted before every minion had answered")])
    except Exception as error:
        return asking.ending("failed", [drive.bug(error)])


def _refuse_misfits(function, args, given):
    """Refuse arguments that the function does not take, or lacks."""
    found = calling.misfit(function, "transfer", args, given)
    if found and function.__name__ in COPYING and (meant := habits.of_places(args)):
        found = f"transfer.{function.__name__} {meant}"
    if found:
        raise errors.Refused([errors.BadOption.reason(found)])


@_face
def copy(src=None, dst=None, *, targets=None, target_type=None, test=False, key=None, **options):
    """
    Copy a file or a directory from one minion to one or many others.

    src
        ``MINION:/path`` of a file or directory. A slash at its end means nothing.

    dst
        ``MINION:/path``. With a slash at its end it is a directory to copy into, else the final name, under which
        nothing may exist yet. Several are a list, or separated by commas: ``db2:/srv/,db3:/srv/``; each has its own
        final name, each host is named once, and that of the source is not among them. A name that begins or ends with
        a comma is taken in a list alone. The source is read once for all of them (see ``fanout``). If one is refused,
        nothing is begun.

    targets
        The destinations as a Salt target expression; ``dst`` is then a path alone, the same on all of them. The source
        must not match. Grains and pillars are asked of the minions themselves: one that does not answer refuses all if
        it matched when the master heard of it last, else it is left out and noted.

    target_type
        What kind of expression that is: glob, list, pcre, grain, grain_pcre, pillar, pillar_pcre, compound, nodegroup.

    test : False
        Check everything, tell the plan, and change nothing; with ``probe=True`` also how fast the way is.

    key
        Any text that names this copy. With a key that was given before the copy is not begun anew: it is followed if it
        runs, else its result is told. An id of 32 hex digits becomes the id of the transfer.

    Options:

    OPTIONS
    Returns a dict: ``result`` (ok, partial, failed, refused, cancelled, unknown), ``transfer`` (its id, by which only
    events know one that was refused; None for several with ``fanout=serial``, which are a transfer each), ``source``
    and ``destinations`` (by host: place, outcome, verdict, figures in bytes and seconds), ``receipt`` (what proves the
    copy: level, algorithm, root, counts, on which hosts), ``phases`` (seconds), ``reasons``, ``retcode``. With
    ``test=True`` it has ``plan`` instead and ``result`` is planned.

    Ended by Ctrl-C before bytes move, everything is undone; after that the transfer goes on without being watched.
    While it waits for busy hosts (``wait``) and dies in any other way, it keeps its place for ``transfer.tend`` or
    ``transfer.attach``, or for the same command.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.copy src=db1:/srv/data dst=db2:/srv/
        salt-run --out=json transfer.copy src=db1:/srv/data dst=db2:/srv/copy test=True
        salt-run transfer.copy src=db1:/srv/data dst=db2:/srv/,db3:/srv/
        salt-run transfer.copy src=db1:/srv/data dst=/srv/ targets=role:replica target_type=grain
    """
    dry, reasons = _dry(test)
    meant = _meant(src, dst, targets, target_type)
    if key is not None and not reasons:
        return _once(_asked(src, meant[0], options, key, dry))
    if not dry and not reasons and _is_ours() and _may_wait(src, meant[0], options):
        asked = _asked(src, meant[0], options, naming.fresh(), dry)
        return _once(background.patiently(__opts__, asked), meant[1])
    return _run(src, meant, options, dry, reasons)


@_face
def start(src=None, dst=None, *, targets=None, target_type=None, key=None, test=False, **options):
    """
    Begin a copy in the background and return at once; again with the same key, tell how it stands. For whatever must
    not wait: a reactor, salt-api, the scheduler, a state.

    src, dst, targets, target_type
        As ``transfer.copy`` takes them.

    key
        Any text that names this copy, so that asking twice begins it once. An id of 32 hex digits becomes the id of the
        transfer; without a key it is drawn.

    test : False
        Only plan, in the background too.

    Options are those of ``transfer.copy``. What is wrong with them is told at once; what the minions have to say
    against it is told to who asks again, and on the bus (``salt/transfer/ID/finished``).

    Returns a dict: ``transfer`` (its id), ``result`` (running), ``reasons``, ``retcode``; once it has ended, what
    ``transfer.copy`` returns.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.start src=db1:/srv/data dst=db2:/srv/
        salt-run transfer.start src=db1:/srv/data dst=db2:/srv/data key=nightly-2026-01-31 update=True
    """
    dst, _ = _meant(src, dst, targets, target_type)
    return _started(_asked(src, dst, options, naming.fresh() if key is None else key, _truth("test", test)))


@_face
def pull(src=None, path=None, *, key=None, test=False, **options):
    """
    For minions alone, by ``publish.runner``: begin a copy to the minion that asks, or tell how it stands. The state
    ``transfer.copied`` asks by it.

    The master permits it by ``peer_run: {'db.*': [transfer.pull]}``. Whoever asks gets copies to itself and nothing
    else; what it may have of others is for their own policy to say (``sources`` and ``peers``).

    src
        ``MINION:/path``.

    path
        Where on the minion that asks: one path that begins with a slash.

    key
        Names this copy, see ``transfer.start``; keys of different minions never meet.

    test : False
        Tell the plan and change nothing.

    Returns the same dict as ``transfer.start``; with ``test=True`` it ends as ``transfer.plan`` does.

    CLI Example:

    .. code-block:: bash

        salt db2 publish.runner transfer.pull 'src=db1:/srv/data path=/srv/data key=first'
        salt-run transfer.pull src=db1:/srv/data path=/srv/data key=first  # refused: the master is no minion
    """
    minion = _minion_that_asks()
    __context__["asked_by"] = {"user": minion, "via": whose.PEER}
    asked = _asked(src, _at_home(minion, path), options, key, _truth("test", test), minion)
    background.refuse_crowd(__opts__, minion, asked.transfer)
    return _started(asked, minion)


@_face
def plan(src=None, dst=None, *, targets=None, target_type=None, **options):
    """
    Check whether a copy could be made, tell how, and change nothing; the same as ``transfer.copy ... test=True``.

    Takes what ``transfer.copy`` takes. With ``probe=True`` random bytes are sent to each destination for two seconds
    if nothing speaks against the copy, over a pinhole of their own; nothing of that is left.

    Returns a dict: ``result`` (planned or refused), ``transfer``, ``plan`` (places, sizes in bytes, addresses,
    firewall, settings, warnings; ``forecast``: seconds, rate in bytes a second, basis, text; ``probes``, for each:
    before, after, rate, seconds, bytes, round_trip in seconds, and reason if it failed), ``reasons`` (all of them at
    once; of a plan why probes failed), ``retcode`` (0 for a plan, also if a probe failed).

    CLI Example:

    .. code-block:: bash

        salt-run transfer.plan src=db1:/srv/data dst=db2:/srv/
        salt-run transfer.plan src=db1:/srv/data dst=db2:/srv/ probe=True
    """
    return _run(src, _meant(src, dst, targets, target_type), options, dry=True)


@_face
def resume(transfer, minions=None, *, source=None, test=False, **options):
    """
    Go on with a transfer that failed or died: only what is missing is sent, into what has arrived.

    Source, destinations and options are those that its ends recorded. What is there is read again from the disk and
    compared, not trusted. Destinations that have their copy already are left alone.

    transfer
        Its id: 32 hex digits, as ``transfer.copy`` and ``transfer.list`` tell it.

    minions
        Its ends, as a list or separated by commas; every minion is asked without it.

    source
        Another minion to take it from: a destination of this transfer that has its copy. Without it the source that the
        transfer has. One that was updated (``update=True`` without ``delete=True``) and keeps what else stood there is
        refused, since that would travel too.

    test : False
        Check everything, tell the plan, and change nothing.

    Options that do not change what arrives may be given anew: addresses, ports, times, streams and the like. Others are
    refused.

    Refused in words if it runs (then ``transfer.attach`` follows it), is complete, was cancelled, is unknown, or there
    is no record of it at its source, or at any destination that lacks its copy.

    Returns the same dict as ``transfer.copy``, of the same ``transfer``; ``attempt`` counts.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.resume 0123456789abcdef0123456789abcdef
        salt-run transfer.resume 0123456789abcdef0123456789abcdef minions=db1,db2 network=10.20.0.0/16
        salt-run transfer.resume 0123456789abcdef0123456789abcdef source=db2
    """
    dry = _truth("test", test)
    return joining.resume(__opts__, transfer, minions, source, options, __context__["asked_by"], dry)


@_face
def attach(transfer, minions=None, **options):
    """
    Follow a transfer to its end, exactly as the ``transfer.copy`` that began it does; of one that has ended, tell how.
    A copy that waits for busy hosts is followed too; if its runner has died, this one goes on with it. Of one that has
    waited in vain it is told how that ended.

    transfer
        Its id: 32 hex digits.

    minions
        Its two ends, as a list or separated by commas; every minion is asked without it.

    Options are those of ``transfer.copy`` that concern looking: ``quiet``, ``verbose``, ``job_timeout``.

    Returns the same dict and exit status as ``transfer.copy``; ``unknown`` if a minion that may be an end of it does
    not answer. Ended by Ctrl-C the transfer goes on.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.attach 0123456789abcdef0123456789abcdef
    """
    if waiting := noted.waiting(__opts__, transfer):
        return _once(waiting)
    return noted.attached(__opts__, transfer, minions, options)


@_face
def tend():
    """
    Go on with copies that wait for busy hosts and whose runner has died, each in the background and at its place; for
    the scheduler of the master, or by hand. Whatever is followed already is left alone. Of those that wait for one host
    only as many are taken up as may begin there, and one that stands ready.

    Returns a dict: ``waiting`` (the ids of all that waited on this master), ``taken_up`` (those that are gone on with
    now), ``result``, ``reasons``, ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.tend
    """
    return asking.concluded(background.tended(__opts__), ())


@_face
def status(transfer, minions=None):
    """
    Tell how far a transfer is, or how it ended, as its ends tell it themselves.

    transfer
        Its id: 32 hex digits, as ``transfer.copy`` and ``transfer.list`` tell it.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    Returns a dict: ``transfer``, ``ends`` (for each: host, role, asked_by, phase, alive, progress in bytes and files,
    phases in seconds, verdict), ``silent`` (minions that did not answer), ``result``, ``reasons``, ``retcode``. Where
    no end tells of it, also ``waiting`` if it waits for busy hosts (as ``transfer.list`` tells it), ``outcome`` if that
    has ended (what ``transfer.attach`` returns), or ``preparing`` if it was asked for by ``transfer.start`` or a key
    and has not come so far (transfer, src, dst, asked_by, followed: whether a runner lives, text: this in words).

    ``result`` is ``unknown`` (6) when a minion is silent that may be an end of it.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.status 0123456789abcdef0123456789abcdef
    """
    return noted.status(__opts__, transfer, minions)


@_face
def list_(minions=None, state=None, older=False):
    """
    List the transfers that minions know, the newest first: all that run, rest or are dead, and of those that are over
    the newest 100 of each minion.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    state
        Only those in these states, as a list or separated by commas: ``running`` (a worker lives), ``resumable``
        (failed, and ``transfer.resume`` can go on with it), ``resting`` (what arrived is kept, but the other end did
        not answer or has no record), ``orphaned`` (a worker died and nobody has undone after it yet), ``finished``.

    older : False
        Also all older ones that are over; a long list takes several questions.

    Returns a dict: ``transfers`` (for each: transfer, state, attempt, asked_by, and its ends with host, role, path,
    phase, age in seconds, ended_at by its own clock in seconds since 1970, bytes), ``more`` (how many older ones are
    not listed), ``waiting`` (copies of this master that wait for busy hosts, whatever ``state`` says; for each:
    transfer, src, dst, asked_by, asked_at and since in seconds since 1970, seconds: how long it may wait, queues: for
    each host that it waits for how many transfers run there, may run and wait before this one, as it was told last,
    followed: whether a runner lives, text: all this in words, advice: what can be done), ``silent``, ``result``,
    ``reasons``, ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.list
        salt-run transfer.list state=running,resumable
        salt-run transfer.list minions=db2 older=True
    """
    told = looking.listed(__opts__, minions, inventory.read_states(state), _truth("older", older))
    return {**told, "waiting": noted.listed(__opts__)}


@_face
def log(transfer, minions=None, after=0):
    """
    Show what the workers of a transfer wrote into their logs.

    transfer
        Its id: 32 hex digits.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    after : 0
        Leave out that many lines at the beginning.

    Returns a dict: ``transfer``, ``ends`` (for each: host, role, lines, more: whether there are further lines,
    peers: all others that take part), ``silent``, ``result``, ``reasons``, ``retcode``.

    ``result`` is ``unknown`` (6) when a minion is silent that may be an end of it.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.log 0123456789abcdef0123456789abcdef minions=db1
    """
    return looking.about(__opts__, "log", transfer, minions, after=after)


@_face
def verify(transfer, minions=None, source=False, timeout="1h"):
    """
    Read again what a transfer brought, and tell whether it is still what was proved. Takes as long as reading does.

    transfer
        Its id: 32 hex digits. The destination's record is needed, which it keeps as long as ``keep_runs`` says.

    minions
        Where to look for its ends, as a list or separated by commas; every minion without it.

    source : False
        Read the source again too.

    timeout : 1h
        How long reading may take.

    Returns a dict: ``transfer``, ``source_root`` (as the source sealed it), ``ends`` (for each that was read: host,
    role, verified, root, counts, troubles, more; as ``transfer.verify`` of a minion returns it), ``silent``,
    ``result`` (ok if all is as it was proved), ``reasons``, ``retcode``.

    ``result`` is ``unknown`` (6) when all that was read is as it was proved, and an end that had to be read is silent.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.verify 0123456789abcdef0123456789abcdef
    """
    patience = _read("timeout", Span(1, 7 * DAY), timeout)
    return verifying.verified(__opts__, transfer, minions, patience, _read("source", Truth(), source))


@_face
def limit(transfer, rate, minions=None):
    """
    Change how much a running transfer may send in a second. In a chain every host that passes on what comes is asked to
    keep to it, for itself. It holds for further attempts too.

    transfer
        Its id: 32 hex digits.

    rate
        Such as 50MB/s or 1Gbit/s; 0 or none lifts the limit.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    Returns a dict: ``transfer``, ``ends`` (the source, and in a chain the destinations that still run: host, role,
    phase, limit in bytes a second, and before: the one that it had), ``silent``, ``result``, ``reasons``, ``retcode``.

    ``result`` is ``unknown`` (6) when nobody told of it and a minion is silent that may be its source.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.limit 0123456789abcdef0123456789abcdef 50MB/s
    """
    return looking.limited(__opts__, transfer, minions, settings.read("limit", rate))


@_face
def cancel(transfer, minions=None):
    """
    End a transfer: its workers undo what they opened and reserved, and nothing appears under the final name.

    Can be repeated. What has been published already stays. What had arrived of one that failed, or whose worker or
    host died, is given up for good. A copy that waits for busy hosts gives its place up.

    transfer
        Its id: 32 hex digits.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    Returns a dict: ``transfer``, ``ends`` (for each: host, role, phase, peers: all others that take part; none waits),
    ``silent``, ``result``, ``reasons``, ``retcode``.

    ``result`` is ``unknown`` (6) when a minion is silent that may be an end of it.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.cancel 0123456789abcdef0123456789abcdef
    """
    waiting = noted.waiting(__opts__, transfer)
    hosts = noted.hosts_of(__opts__, waiting) if waiting and minions is None else minions
    ask = functools.partial(looking.about, __opts__, "cancel", transfer, hosts, asking.END_TIMEOUT)
    return background.cancelled(__opts__, transfer, ask)


@_face
def watch(minions=None, **options):
    """
    Show all transfers that run or wait for busy hosts, those that begin meanwhile too, until none does or somebody
    presses Ctrl-C. None of them is touched. A copy that waits and whose runner is dead is shown, but not waited for.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    Options are those of ``transfer.copy`` that concern looking: ``quiet``, ``verbose``, ``job_timeout``.

    Returns a dict: ``transfers`` (for each id what ``transfer.attach`` returns), ``waiting`` (what still waits: as
    ``transfer.overview`` tells it), ``silent``, ``result`` (of the watching, not of what was watched), ``reasons``,
    ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.watch
        salt-run --out=json transfer.watch minions=db1,db2
    """
    return watching.watch(__opts__, minions, options)


@_face
def overview(transfer=None, minions=None, doctor=False):
    """
    Tell on one page what runs, rests and ran, as far as whoever asks may see it. The live page of salt-api shows this.

    Who works on the master itself sees everything. Other users, as external authentication names them, see the
    transfers that they asked for, and those whose hosts are all among the minions that ``transfer_viewers`` in the
    master's configuration opens to them. Changes nothing.

    transfer
        The id of one to be shown closely.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    doctor : False
        Tell what ``transfer.doctor`` finds, too.

    Returns a dict: ``viewer`` (name, everything, hosts), ``transfers`` (all that are not over, and of the others the
    newest, until there are 50: transfer, state, attempt, asked_by, began, and ends with host, role, path, phase, alive,
    rests, age in seconds, bytes; copies of this master that wait for busy hosts are in the state ``waiting`` and have
    ``waits``: since, seconds, queues, followed, text and advice, as ``transfer.list`` tells them), ``more``,
    ``silent``, with ``transfer=`` also ``shown`` (ends with progress, phases
    and stages in seconds, and curve: points of seconds and bytes; outcome as ``transfer.attach`` returns it), with
    ``doctor=True`` also ``findings`` and ``examined`` (who was looked at for them); ``result``, ``reasons``,
    ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.overview
        salt-run transfer.overview 0123456789abcdef0123456789abcdef doctor=True
    """
    on_master = __opts__.get("__cli") == whose.COMMAND_LINE
    looks = overviews.viewer(str(globals().get("__user__") or ""), on_master, __opts__.get(overviews.VIEWERS))
    return showing.page(__opts__, looks, transfer, minions, _truth("doctor", doctor))


@_face
def doctor(minions=None, places=None):
    """
    Find what transfers left over on every host, and what else is odd, and tell what to do about it. Changes nothing.

    Leftovers are: dead workers, what was not undone, pinholes without a worker, staging without a record, reservations
    without a run, half-made directories, records and partial data past their time. Odd are: another version, a clock
    that is off, records from the future.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    places
        Further directories in which staging may lie, as a list or separated by commas.

    Returns a dict: ``findings`` (for each: host, what, advice, and as far as they apply transfer, role, path, age in
    seconds, bytes), ``hosts`` (who was looked at), ``silent``, ``result``, ``reasons``, ``retcode``. Findings are no
    failure. ``result`` is ``unknown`` (6) when nobody answered.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.doctor
    """
    return looking.examined(__opts__, minions, _words(places))


@_face
def sweep(minions=None, test=False, partial=False, unknown=False, places=None):
    """
    Remove what dead transfers left on minions, and what is kept no longer (``keep_runs``, ``keep_partial`` and their
    bounds in bytes). Running ones are not touched. Try it with ``test=True`` first.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    test : False
        Only list what would be removed.

    partial : False
        Also give up all that had arrived when transfers failed; they can then not be resumed.

    unknown : False
        Also list and remove staging directories that no record of their host knows, as ``transfer.doctor`` tells them.

    places
        With ``unknown``: further directories in which they may lie, as a list or separated by commas.

    Returns a dict: ``hosts`` (for each: found, removed, trouble), ``silent``, ``result``, ``reasons``, ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.sweep test=True
    """
    further = {"unknown": True, "places": _words(places)} if _truth("unknown", unknown) else {}
    asked = {"test": _truth("test", test), "partial": _truth("partial", partial), **further}
    return looking.swept(__opts__, minions, **asked)


@_face
def metrics(minions=None, file=None):
    """
    Tell Prometheus of transfers: what runs, rests and failed on which minion, and when each place was last copied.
    Needs the Python package ``prometheus_client`` on the master.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    file
        Where to write them too, such as ``/var/lib/prometheus/node-exporter/salt_transfer.prom``; by the scheduler
        every minute, say.

    Returns a dict: ``text`` (in the exposition format), ``file``, ``silent``, ``result``, ``reasons``, ``retcode``.
    Minions that did not answer are no failure; ``salt_transfer_minion_answers`` tells of them.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.metrics
        salt-run --out=json transfer.metrics file=/var/lib/prometheus/node-exporter/salt_transfer.prom
    """
    return exposing.exposed(__opts__, minions, file)


@_face
def settings_(minions=None, **options):
    """
    Tell which options are in force and which layer says so: the default, the master's configuration, a profile, a
    minion's pillar or its own configuration, the command line. Finds what is wrong with any of them, unused profiles
    too, and changes nothing.

    minions
        On which minions to look too, as a list or separated by commas. ``'*'`` is every minion.

    Options are those of ``transfer.copy``, to see what would come of them.

    Returns a dict: ``settings`` (for each option: ``value`` and ``from``), ``hosts`` (for each minion that was asked:
    ``settings``, ``policy``, ``trouble``), ``silent``, ``result`` (failed if anything is wrong), ``reasons``,
    ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.settings
        salt-run transfer.settings minions=db1,db2 profile=wan
    """
    return looking.in_force(__opts__, saltface.everyone(__opts__) if minions == "*" else minions, options)


@_face
def audit(minions=None, transfer="", after=0, limit=200):
    """
    Show what minions wrote into their audit trails: what was moved, opened and refused there, and who asked.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    transfer
        Only lines about this one.

    after : 0
        Only lines with numbers beyond this one; each minion counts for itself.

    limit : 200
        How many of each minion at most; 500 are the most.

    Returns a dict: ``hosts`` (for each: lines, the oldest first, and more: whether there are further ones), ``silent``,
    ``result``, ``reasons``, ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.audit minions=db1,db2 transfer=0123456789abcdef0123456789abcdef
    """
    page = {"after": _read("after", Whole(0, MANY), after), "limit": _read("limit", Whole(1, 500), limit)}
    return looking.audited(__opts__, minions, transfer=str(transfer), **page)


def _words(value):
    """What is named as a list or separated by commas."""
    named = value if isinstance(value, list) else str(value or "").split(",")
    return [word for each in named if (word := str(each).strip())]


def _dry(test):
    """(whether nothing may be changed, reasons): what is neither yes nor no must not hide other reasons."""
    try:
        return _truth("test", test), ()
    except errors.Refused as doubt:
        return True, doubt.reasons


def _truth(name, value):
    return _read(name, Truth(), value)


def _read(name, kind, value):
    try:
        return kind.read(value)
    except ValueError:
        raise errors.Refused([errors.BadOption.reason(f"{name} must be {kind.takes}, not {value!r}")]) from None


# --- the story of a copy ---------------------------------------------------------------------------------------------


def _meant(src, dst, expression, kind):
    """The destinations, of which minions may have to be asked, and what the plan shall note about them."""
    if expression is None and kind is None:
        return dst, ()
    try:
        source_host, _ = request.parse_place(src, "src")
    except errors.BadPlace as bad:
        raise errors.Refused([bad.as_reason()]) from None
    return copying.targeted(__opts__, dst, source_host, expression, kind)


def _is_ours():
    """Whether somebody at a command line asked for this very copy. What is part of something greater, such as an
    orchestration or a clone, must not happen without that.
    """
    return __opts__.get("fun") == "transfer.copy"


def _may_wait(src, dst, options):
    """Whether a copy as these words ask for it may wait for busy hosts, and could be gone on with by another runner."""
    try:
        found = request.read(src, dst, options, saltface.master_layers(__opts__), naming.fresh())
    except errors.Refused:
        return False
    return found.settings.wait > 0 and not [*found.reasons, *copying.needs_company(found)]


def _run(src, meant, options, dry, reasons=(), transfer=None, place=None, attempt=1):
    """A request becomes a course, which is followed to its end and told."""
    own, (dst, notes) = transfer or naming.fresh(), meant
    try:
        asked = request.read(src, dst, options, saltface.master_layers(__opts__), own, reasons)
    except errors.Refused as refused:
        return report.refusal(own, src, dst, refused.reasons)
    against = copying.needs_company(asked) if transfer else ()
    asked = replace(
        asked,
        attempt=attempt,
        asked_by=__context__["asked_by"],
        notes=tuple(notes),
        reasons=(*asked.reasons, *against, *probing.unfit(options, dry)),
        settings=asked.settings if dry else replace(asked.settings, probe=False),
    )
    return copying.copied(__opts__, asked, dry, place)


# --- what is begun once, whoever follows it --------------------------------------------------------------------------


def _once(asked, notes=()):
    ways = background.Ways(
        functools.partial(_begun, notes=notes),
        functools.partial(_attached, asked),
        functools.partial(_taken_back, asked),
    )
    return background.once(__opts__, asked, ways, _is_ours())


def _asked(src, dst, options, key, dry, owner=""):
    """A plan and a copy may have the same key."""
    transfer = naming.of_key(key, f"{owner} plans" if dry and not naming.is_id(key) else owner)
    return background.Asked(transfer, src, dst, options, __context__["asked_by"], dry)


def _at_home(minion, path):
    """The one destination on the minion that asks; a list, because in a text a comma begins another one."""
    if not isinstance(path, str) or not path.startswith("/"):
        text = f"path must be a path on {minion} that begins with a slash, not {ascii(path)}"
        raise errors.Refused([errors.BadPlace.reason(text)])
    return [f"{minion}:{path}"]


def _started(asked, only=None):
    """What is wrong with the words of a request is told before anything begins. `only` is the one host that may be
    written to.
    """
    found = noted.read(__opts__, asked)
    unfit = probing.unfit(asked.options, asked.dry)
    if reasons := [*found.reasons, *copying.needs_company(found), *_abroad(found, only), *unfit]:
        raise errors.Refused(reasons)
    return background.start(__opts__, asked)


def _abroad(found, only):
    others = [place for place in found.destinations if only is not None and place.host != only]
    return [errors.BadPlace.reason(f"{only} may ask for copies to itself alone, not to {place}") for place in others]


def _begun(asked, place, attempt, notes=()):
    __context__["asked_by"] = asked.asked_by
    meant = asked.dst, notes
    return _run(asked.src, meant, asked.options, asked.dry, transfer=asked.transfer, place=place, attempt=attempt)


def _taken_back(asked, transfer):
    return unbegun.taken_back(__opts__, transfer, noted.hosts_of(__opts__, asked))


def _attached(asked, transfer):
    try:
        noted.show_place(__opts__, asked)
        return joining.attach(__opts__, transfer, noted.hosts_of(__opts__, asked), {})
    except errors.Refused as refused:
        return {"transfer": transfer, **asking.ending("refused", refused.reasons)}


def _minion_that_asks():
    """The master puts the id of a minion whose request it has authenticated in place of its own."""
    minion = __opts__["id"]
    if not saltface.accepted_key(__opts__, minion):
        raise errors.Refused(
            [
                errors.BadOption.reason(
                    "transfer.pull is for minions alone, by peer_run and publish.runner; here transfer.start does it"
                )
            ]
        )
    return minion
