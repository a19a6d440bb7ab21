"""Exchanges the data of this host's database for a prepared backup, and starts the server on it, alone.

    install -> start_isolated -> point -> (replicate, prove) -> settle -> drop_old

Until `settle` everything is a hold: whatever fails, whoever dies, the old data comes back and the server runs on it as
it did before. `settle` ends that; the old data stays beside the new until `drop_old`.
"""

import contextlib
import os
import secrets
import time
from dataclasses import dataclass

from datamover.disk import destination, mounts
from hosttools import backups, sql
from replicaplan.errors import DatabaseSilent, ReplicaRefused, ServiceFailed, StartFailed
from replicaplan.isolation import against_isolation
from replicaplan.pairing import against_backup
from replicaplan.places import INCOMING, against_elsewhere, against_mount_point
from replicaplan.settling import against_settling
from replicaplan.target import against_replacing

from . import backup as backing
from . import datadir, discovery, holds, logfiles, records, running, tls, traces
from . import unit as units
from .claims import claimed
from .offered import against_place

ISOLATED = ("--skip-slave-start", "--read-only=1", "--event-scheduler=OFF")
SETTLED = ("--read-only=1", "--event-scheduler=OFF")  # the events are the primary's, and enabled in a copy of it
BEFORE = ".before-"


@dataclass(frozen=True)
class Wish:
    """What shall be installed: a prepared backup; `confirm` is the name of this host, to show that it is meant.
    `unprepared` is of one who only asks: whether it could be, once it is prepared.
    """

    prepared: str
    confirm: str
    lease: int
    in_service: bool = False
    discard_own_writes: bool = False
    unprepared: bool = False

    @property
    def place(self):
        """Without a slash at its end, behind which a link would be followed and no rename finds a name."""
        return os.path.normpath(self.prepared)


def reasons(found, wish, host, state_dir):
    """Every reason not to install, as sentences."""
    told = discovery.look(found)
    against = against_replacing(told, host, wish.confirm, wish.in_service, wish.discard_own_writes)
    places = [
        *against_datadir(found.datadir, host),
        *against_place(wish.place, found.datadir, records.old_data(state_dir)),
    ]
    return [*against, *places, *_mounted_below(wish.place), *_against_offered(wish, told)]


def against_datadir(target, host):
    """Why no rename can exchange the data directory, whatever is to come there."""
    if os.path.ismount(target):
        return against_mount_point(target, host)
    if os.path.islink(target):
        return [f"The data directory {target} of {host} is a symbolic link: let datadir name where it leads."]
    return _mounted_below(target)


def _mounted_below(place):
    return [
        f"{os.fsdecode(found)} is mounted below {place}: a data directory with mount points in it is not exchanged."
        for found in mounts.at_or_below(os.fsencode(place))
    ]


def _against_offered(wish, told):
    prepared = wish.place
    try:
        backup = backing.read(prepared)
        backing.check_whole(backup)
    except Exception as error:
        return [getattr(error, "text", str(error))]
    known = {**backup.as_dict(), "prepared": backup.prepared or wish.unprepared}
    return [*against_backup(known, told), *against_elsewhere(prepared, traces.elsewhere(prepared))]


def beside(target):
    """Where a clone would arrive: the room there, and whether the place is taken."""
    room = os.statvfs(destination.nearest_directory(os.fsencode(os.path.dirname(target))))
    return {"free": room.f_bavail * room.f_frsize, "incoming_exists": os.path.lexists(target + INCOMING)}


def _against_pause(state_dir):
    """Its undo log would start replication again, on whatever data is there by then."""
    if holds.under_way(state_dir, holds.PAUSE):
        return ["Replication is halted here for a comparison: replica.go_on ends that, its lease does too."]
    return []


def install(found, wish, host, state_dir):
    """Stop and mask the server, exchange the data; returns what was done. The server does not run then."""
    against = [*reasons(found, wish, host, state_dir), *_against_pause(state_dir)]
    if against:
        raise ReplicaRefused(against)
    with claimed(wish.place):
        return _install(found, wish, state_dir)


def _install(found, wish, state_dir):
    backup = backing.read(wish.place)
    installation = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    ending = BEFORE + installation
    kept = found.datadir + ending
    hold = holds.begin(
        state_dir, holds.INSTALLATION, wish.lease, backup=backup.as_dict(), datadir=found.datadir, kept=kept,
        unit=found.unit.name, prepared=wish.place, had_data=os.path.isdir(found.datadir), id=installation,
    )
    with hold.working():
        _stop(hold, found)
        logfiles.move_aside(hold, found, ending, wish.confirm)
        _exchange(hold, found, wish.place, kept)
        hold.note(step="installed")
    return summary(hold)


def _stop(hold, found):
    """A server whose data was lost cannot be started again by whoever takes this back."""
    unit = found.unit
    startable = unit.runs and os.path.isdir(found.datadir)
    was = running.note(found) if startable else None
    if was:
        settings = found.settings
        hold.undo.register(
            "running", socket=found.socket, user=settings.user, defaults_file=settings.defaults_file, was=was
        )
    hold.undo.register(
        "unit", unit=unit.name, was_active=startable, was_masked=unit.masked, datadir=found.datadir,
        options=running.options(was) if was else [], before=units.options(unit.name),
    )
    units.hold_down(unit.name)
    _check_gone(found)


def _check_gone(found):
    """systemd gives up on a server that takes too long to end, and knows nothing of one that it did not start."""
    name = found.unit.name
    if found.unit.pid and os.path.exists(f"/proc/{found.unit.pid}"):
        raise ServiceFailed(f"{name} was stopped, but its process {found.unit.pid} lives on: its data was not touched.")
    with contextlib.suppress(DatabaseSilent):
        found.server.do("DO 1")
        raise ServiceFailed(f"{name} was stopped, but a database answers at {found.socket}: its data was not touched.")


def _exchange(hold, found, prepared, kept):
    mode = datadir.mode_of(found.datadir)
    old, new = datadir.identity(found.datadir), datadir.identity(prepared)
    hold.undo.register("datadir", datadir=found.datadir, prepared=prepared, kept=kept, old=old, new=new)
    datadir.exchange(found.datadir, prepared, kept)
    datadir.fit_for(found.datadir, found.owner, mode)
    datadir.relabel(found.datadir)


def summary(hold):
    """What a hold of an installation says of itself."""
    known = hold.document
    names = ("id", "step", "datadir", "kept", "prepared", "unit", "backup", "lease", "trouble")
    told = {name: known.get(name) for name in names}
    kept = known.get("kept") if known.get("had_data") else None
    return {**told, "kept": kept, "kept_logs": known.get("kept_logs") or []}


def start_isolated(settings, state_dir):
    """Start the server on its new data: read-only, without replication, without events. Returns what it is then."""
    hold = holds.find(state_dir, holds.INSTALLATION)
    with hold.working():
        name = hold.document["unit"]
        hold.undo.register("isolation", unit=name, before=units.options(name))
        units.set_options(name, *ISOLATED)
        units.unmask(name)
        units.start(name)
        found = discovery.place(settings)
        told = discovery.look(found)
        _check_isolated(found, told, hold.document)
        hold.note(step="started")
    return told


def _check_isolated(found, told, known):
    """Believe no unit and no configuration: ask the server."""
    if not found.running:
        raise StartFailed(f"{known['unit']} says that it runs, but nobody answers at {found.socket}.")
    troubles = against_isolation(told, known["datadir"], known["backup"])
    if troubles:
        raise StartFailed(" ".join(troubles))


def point(settings, state_dir, primary, port, coordinates):
    """Tell the isolated server whom to follow, and from which position on."""
    hold = holds.find(state_dir, holds.INSTALLATION)
    with hold.working():
        found = discovery.place(settings)
        found.server.do(change_master(primary, port, coordinates, settings.replication),
                        secrets=(settings.replication.password, sql.quote(settings.replication.password)))
        (channel,) = discovery.replication(found.server)
        hold.note(step="pointed", primary=primary, port=port, coordinates=coordinates.as_dict())
    return channel


def change_master(primary, port, coordinates, replication):
    """The statements that set coordinates. Beside a GTID position file and number would be ignored: left out."""
    login = [
        ("HOST", sql.quote(primary)), ("PORT", str(int(port))), ("USER", sql.quote(replication.user)),
        ("PASSWORD", sql.quote(replication.password)), *tls.of_channel(replication),
    ]
    if backups.is_gtid(coordinates.gtid):
        place = [("USE_GTID", "slave_pos")]
        first = f"SET GLOBAL gtid_slave_pos={sql.quote(coordinates.gtid)};"
    else:
        place = [("LOG_FILE", sql.quote(coordinates.file)), ("LOG_POS", str(coordinates.position)), ("USE_GTID", "no")]
        first = ""
    words = ", ".join(f"MASTER_{name}={value}" for name, value in [*login, *place])
    return f"STOP ALL SLAVES; RESET SLAVE ALL; {first} CHANGE MASTER TO {words};"


def proved(state_dir, proof, installation=""):
    """Note how it was proved; of another installation than was looked at a proof says nothing."""
    hold = holds.find(state_dir, holds.INSTALLATION)
    with hold.minding():
        now = hold.document.get("id")
        if installation and installation != now:
            raise ReplicaRefused([
                f"What was proved was the installation {installation}, and {now} is under way: prove this."
            ])
        hold.note(step="proved", proof=proof)
    return summary(hold)


def settle(settings, state_dir):
    """Nothing takes the new data back any more. The server stays read-only, its events off, at its next start too."""
    hold = holds.find(state_dir, holds.INSTALLATION)
    found = discovery.place(settings)
    channels = discovery.replication(found.server) if found.running else []
    against = against_settling(hold.document.get("step"), found.unit.masked, found.running, channels)
    if against:
        raise ReplicaRefused(against)
    records.last(state_dir)  # if that cannot be read, it is told while nothing is taken back for it
    with hold.ending():
        units.set_options(hold.document["unit"], *SETTLED)
        records.save(state_dir, hold.undo, {**summary(hold), "proof": hold.document.get("proof")})
    return records.last(state_dir)


def roll_back(state_dir, lost=""):
    """Put everything back; what was installed has its former name again. `lost` is what is gone for good of the old."""
    hold = holds.find(state_dir, holds.INSTALLATION)
    told = summary(hold)
    return {**told, "told": hold.take_back(without=_given_up(told, lost) if lost else ())}


def _given_up(told, lost):
    """The kinds of change that cannot be undone without what is gone for good."""
    kept, logs = told["kept"], told["kept_logs"]
    if lost not in (kept, *logs) or os.path.lexists(lost):
        there = "it is there" if lost in (kept, *logs) else f"the old data is in {' and '.join([str(kept), *logs])}"
        raise ReplicaRefused([f"lost names old data that is gone for good, such as {lost} is not: {there}."])
    return ("datadir", "running", "logs") if lost == kept else ("logs",)


def discard(found, state_dir):
    """Remove a clone that arrived and was not installed; False if there is none."""
    if holds.under_way(state_dir, holds.INSTALLATION):
        raise ReplicaRefused(["An installation is under way: take it back first."])
    arrived = found.datadir + INCOMING
    if not os.path.isdir(arrived) or os.path.islink(arrived):
        return False
    backing.read(arrived)
    with claimed(arrived):
        datadir.remove(arrived)
    return True
