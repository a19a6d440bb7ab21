"""How many transfers take part on this host at once, and who waits for it: one short file, changed under a lock.

Who prepares a run takes a seat for it before the worker starts. A seat counts as long as the run is being prepared or
its worker lives, in this boot; so nothing has to be given back.

Who may wait takes a ticket, which counts for a lease and is renewed by asking again. Tickets are served by the time at
which the transfer was asked for (then by its id), which is the same on all its hosts: so two transfers that need
several hosts can never wait for each other. Whoever asks for the same thing again takes over a ticket that somebody
left who died.
"""
from pathlib import Path

from ..errors import Busy
from . import documents, flock, lease

FORMAT = 1
PATIENCE = 30.0
TICKET_LEASE = 60.0


class Seats:
    """The seats of the state directory."""

    def __init__(self, state_dir):
        self._directory = Path(state_dir) / "register"
        self._file = self._directory / "seats.json"

    def take(self, run, most):
        """A seat for the transfer of `run`, which the caller is preparing; Busy if `most` sit or come first. 0: any."""
        with self._locked():
            seats, tickets = self._taken(), self._tickets()
            others = [seat for seat in seats if seat["run"] != str(run.path)]
            _refuse_crowd(run.transfer, *_before(run.transfer, others, tickets), most)
            mine = {"transfer": run.transfer, "run": str(run.path), "boot": lease.boot_id()}
            self._save([*others, mine], [each for each in tickets if each["transfer"] != run.transfer])

    def wait(self, transfer, at, same, most, seconds=TICKET_LEASE):
        """Take or renew a ticket; tells whether it is its turn, who sits, who waits before it, since when it waits."""
        with self._locked():
            seats, tickets = self._taken(), self._tickets()
            mine = [each for each in tickets if each["transfer"] == transfer or (same and each["same"] == same)]
            at = min([at, *(each["at"] for each in mine)])
            until = lease.boottime() + seconds
            ticket = {"transfer": transfer, "at": at, "same": same, "boot": lease.boot_id(), "until": until}
            tickets = [*(each for each in tickets if each not in mine), ticket]
            self._save(seats, tickets)
            running, waiting = _before(transfer, seats, tickets)
        turn = not most or len(running) + len(waiting) < most
        return {"turn": turn, "running": running, "waiting": waiting, "at": at}

    def leave(self, transfer):
        """Give a ticket back."""
        with self._locked():
            self._save(self._taken(), [each for each in self._tickets() if each["transfer"] != transfer])

    def queue(self):
        """Who waits, the next one first."""
        return [{"transfer": each["transfer"], "at": each["at"]} for each in sorted(self._tickets(), key=_turn)]

    def _taken(self):
        boot = lease.boot_id()
        return [seat for seat in self._load().get("seats", []) if _counts(seat, boot)]

    def _tickets(self):
        boot, now = lease.boot_id(), lease.boottime()
        return [each for each in self._load().get("tickets", []) if each["boot"] == boot and each["until"] > now]

    def _load(self):
        return documents.load(self._file) or {}

    def _save(self, seats, tickets):
        documents.save(self._file, {"format": FORMAT, "seats": seats, "tickets": tickets})

    def _locked(self):
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = flock.hold(self._directory / "seats.lock", seconds=PATIENCE)
        if held is None:
            raise Busy(f"another process has held {self._directory}/seats.lock for {PATIENCE} s")
        return held


def _turn(ticket):
    return ticket["at"], ticket["transfer"]


def _before(transfer, seats, tickets):
    """(the other transfers that sit, those that wait and come before this one): all that do if it has no ticket."""
    mine = [_turn(each) for each in tickets if each["transfer"] == transfer]
    running = sorted({seat["transfer"] for seat in seats} - {transfer})
    others = [each for each in sorted(tickets, key=_turn) if each["transfer"] not in {transfer, *running}]
    return running, [each["transfer"] for each in others if not mine or _turn(each) < mine[0]]


def _counts(seat, boot):
    run = Path(seat["run"])
    return seat["boot"] == boot and (flock.is_held(run / "lock") or flock.is_held(run / "preparing"))


def _refuse_crowd(transfer, running, waiting, most):
    if most and len(running) + len(waiting) >= most:
        queue = f", {len(waiting)} more wait before this one" if waiting else ""
        raise Busy(
            f"this host takes part in {len(running)} transfers already ({', '.join(running)}){queue} and its "
            f"max_transfers is {most}: wait for one of them or cancel it, or raise max_transfers in this minion's "
            "configuration",
            transfer=transfer, others=[*running, *waiting],
        )
