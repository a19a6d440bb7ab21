"""
A replica of MariaDB, step by step: its backup prepared, installed, replicating, proved.

What a state finds done it leaves alone. With ``test=True`` each tells what it would make once those before it have made
theirs: a backup that waits to be installed counts as prepared, and as not yet followed or proved. Every step keeps the
rule of the module ``replica``: until the installation is settled, the old data comes back when a step fails or nobody
goes on.

.. code-block:: yaml

    /srv/mysql.incoming:
      replica.prepared: []

    the new data of db2:
      replica.installed:
        - prepared: /srv/mysql.incoming
        - confirm: db2
        - require:
          - replica: /srv/mysql.incoming

    db1.example.net:
      replica.replicating:
        - donor_is_primary: true
        - require:
          - replica: the new data of db2
"""

import os

from salt.exceptions import CommandExecutionError

from replicaplan import arguments as given
from replicaplan.errors import ReplicaRefused

__virtualname__ = "replica"

PORTS = 65535
EXTRA = ("kept", "kept_logs", "lag")
"""Changes that are known only when they were made."""


def __virtual__():
    return __virtualname__


def prepared(name, memory=0):
    """
    A backup in a directory is prepared, or has been installed since.

    name
        The directory.

    memory : a quarter of what is available
        How much the tool may use.

    Returns what states return; ``changes`` has ``prepared``.

    .. code-block:: yaml

        /srv/mysql.incoming:
          replica.prepared:
            - memory: 2GiB
    """
    return _state(name, lambda: _prepared(name, memory))


def _prepared(name, memory):
    if _was_installed(name):
        return {}, f"{name} has been installed.", None
    if __salt__["xtrabackup.info"](name)["prepared"]:
        return {}, f"{name} is prepared.", None
    change = {"prepared": {"old": False, "new": True}}
    return change, f"{name} is prepared now.", lambda: __salt__["xtrabackup.prepare"](name, memory)


def installed(name, prepared, confirm, lease=300, in_service=False, discard_own_writes=False):
    """
    The server runs on a prepared backup: isolated, until it replicates.

    What is not proved and settled before the lease is over is taken back, and then this state installs it again: let
    the lease be as long as the proof may take to come.

    name
        Any words.

    prepared, confirm, lease, in_service, discard_own_writes
        As for ``replica.install``.

    Returns what states return; ``changes`` has ``data`` (what is installed) and ``kept`` (where the old data is). Of a
    server with logs outside of its data directory also ``logs`` (with what the names of those begin that are moved
    aside) and ``kept_logs`` (where they are then).

    .. code-block:: yaml

        the new data of db2:
          replica.installed:
            - prepared: /srv/mysql.incoming
            - confirm: db2
    """

    def work():
        if _was_installed(prepared):
            return _started(prepared)
        options = {"confirm": confirm, "in_service": in_service, "discard_own_writes": discard_own_writes}
        found = __salt__["replica.check"](prepared, unprepared=__opts__["test"], **options)
        if not found["fits"]:
            raise CommandExecutionError(" ".join(found["reasons"]))

        def act():
            done = __salt__["replica.install"](prepared, lease=lease, **options)
            __salt__["replica.start_isolated"]()
            return {"kept": {"old": None, "new": done["kept"]}, **_of_logs("kept_logs", done["kept_logs"])}

        logs = _of_logs("logs", [each["base"] for each in found["logs"]])
        return {"data": {"old": None, "new": prepared}, **logs}, f"{prepared} is installed now.", act

    return _state(name, work)


def _of_logs(name, places):
    return {name: {"old": None, "new": places}} if places else {}


def _started(prepared):
    """Whoever installed it may not have come to start it."""
    under_way = __salt__["replica.info"]()["installation"] or {}
    if (under_way.get("prepared"), under_way.get("step")) != (prepared, "installed"):
        return {}, f"{prepared} has been installed.", None

    def act():
        __salt__["replica.start_isolated"]()

    return {"server": {"old": "stopped", "new": "started"}}, f"The server is started on {prepared} now.", act


def replicating(name, port=3306, donor_is_primary=None, coordinates=None, lag=None, timeout=600, prepared=None):
    """
    The server follows its primary, both threads run, and it is as close behind as ``lag`` asks.

    name
        The address of the primary.

    port, donor_is_primary, coordinates
        As for ``replica.point``.

    lag
        It has to be at most so many seconds behind, and is waited for if it is not. Without it any lag will do.

    timeout : 600
        Seconds for that; then this fails.

    prepared : beside the data directory, where a clone arrives
        The directory whose backup is to be installed before, as ``replica.installed`` names it. Only ``test=True`` asks
        for it: whom the server follows now does not count while such a backup waits.

    Returns what states return; ``changes`` has ``primary`` (whom it follows), ``threads`` (of one that followed it
    already), or of one that did so with both threads ``lag``: seconds before and after.

    .. code-block:: yaml

        db1.example.net:
          replica.replicating:
            - donor_is_primary: true
            - lag: 10
    """

    def work():
        number = given.whole("port", port, PORTS)
        most = None if lag is None else given.seconds("lag", lag)
        channels = [] if _is_to_come(prepared) else __salt__["replica.info"]()["channels"]
        follows = [each for each in channels if (each["primary"], each["port"]) == (name, number)]
        if follows and _runs(follows[0]):
            return _close(name, follows[0], lag, most, timeout)

        def act():
            if not follows:
                __salt__["replica.point"](name, port, coordinates, donor_is_primary)
            __salt__["replica.start_replication"]()
            if lag is not None:
                __salt__["replica.wait"](lag=lag, timeout=timeout)

        old = channels[0]["primary"] if channels else None
        threads = {"threads": {"old": "stopped", "new": "running"}}
        return threads if follows else {"primary": {"old": old, "new": name}}, f"It follows {name} now.", act

    return _state(name, work)


def _runs(channel):
    return channel["io"] == channel["sql"] == "Yes"


def _close(name, channel, lag, most, timeout):
    """Of one that follows and whose threads run: whether it is as close behind as was asked, or has to come there."""
    late = channel["lag"]
    if most is None or (late is not None and late <= most):
        return {}, f"It follows {name}.", None

    def act():
        return {"lag": {"old": late, "new": __salt__["replica.wait"](lag=lag, timeout=timeout)["lag"]}}

    change = {"lag": {"old": late, "new": f"at most {lag}"}}
    return change, f"It follows {name}, at most {lag} s behind now.", act


def proved(name, settle=True, prepared=None):
    """
    The installation was proved to be equal to its primary, and is settled.

    A minion alone cannot prove it, since that takes both ends at one moment: ``salt-run replica.prove`` does. Without
    a proof this fails, and says so; with ``test=True`` it reckons with the proof while a backup waits to be installed.

    name
        Any words.

    settle : True
        End the possibility to take it back. The old data stays until ``replica.drop_old``.

    prepared
        The directory whose backup has to be what was settled, as ``replica.installed`` names it. Without it that is
        the last one that was.

    Returns what states return; ``changes`` has ``settled``.

    .. code-block:: yaml

        db2 is equal to db1:
          replica.proved:
            - settle: true
    """

    def work():
        under_way = __salt__["replica.info"]()["installation"]
        if under_way is None:
            return _proved_later(settle) if _is_to_come(prepared) else _settled(prepared)
        if under_way["step"] != "proved":
            raise CommandExecutionError(
                f"The installation is {under_way['step']}, not proved: see salt-run -d replica.prove."
            )
        if not settle:
            return {}, "It was proved.", None
        return {"settled": {"old": False, "new": True}}, "It is settled now.", lambda: __salt__["replica.settle"]()

    return _state(name, work)


def _proved_later(settle):
    """What is asked of one that is not even installed; nothing is made then."""
    changes = {"settled": {"old": False, "new": True}} if settle else {}
    return changes, "It is settled then if salt-run replica.prove has proved it; without that this fails.", lambda: None


def _settled(prepared):
    """What was taken back has its former name again: then something else was settled, at another time."""
    place = prepared or __salt__["replica.last"]().get("prepared")
    if not place:
        raise CommandExecutionError("Nothing was installed on this host that could be proved.")
    if os.path.lexists(place):
        raise CommandExecutionError(f"{place} is there and is not installed, or was taken back by its lease.")
    if not _was_installed(place):
        raise CommandExecutionError(f"{place} was not installed and settled on this host.")
    return {}, "It was proved and is settled.", None


# What they share.


def _is_to_come(prepared):
    """Only with test=True: whether a backup waits that the states before would install."""
    if not __opts__["test"] or __salt__["replica.info"]()["installation"]:
        return False
    return os.path.lexists(prepared) if prepared else __salt__["replica.fitness"]()["incoming_exists"]


def _was_installed(prepared):
    """It has another name since; one of that name that is there now is another backup."""
    if os.path.lexists(prepared):
        return False
    known = [__salt__["replica.info"]()["installation"], __salt__["replica.last"]()]
    return any(each and each["prepared"] == prepared for each in known)


def _state(name, work):
    """One state: `work` tells the changes, the words for them, and how to make them (None if all is done)."""
    told = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        changes, words, act = work()
        if act is not None and __opts__["test"]:
            return {**told, "changes": changes, "result": None, "comment": words.replace(" now.", " then.")}
        more = (act() or {}) if act else {}
        extra = {key: each for key, each in more.items() if key in EXTRA and isinstance(each, dict)}
        return {**told, "changes": {**changes, **extra}, "comment": words}
    except (CommandExecutionError, ReplicaRefused) as error:
        return {**told, "result": False, "comment": str(error)}
