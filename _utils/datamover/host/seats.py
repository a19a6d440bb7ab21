"""How many transfers take part on this host at once: one short file, changed under a lock.

Who prepares a run takes a seat for it before the worker starts. A seat counts as long as the run is being prepared or
its worker lives, in this boot; so nothing has to be given back.
"""
from pathlib import Path

from ..errors import Busy
from . import documents, flock, lease

FORMAT = 1
PATIENCE = 30.0


class Seats:
    """The seats of the state directory."""

    def __init__(self, state_dir):
        self._directory = Path(state_dir) / "register"
        self._file = self._directory / "seats.json"

    def take(self, run, most):
        """A seat for the transfer of `run`, which the caller is preparing; Busy if `most` others sit. 0: any number."""
        with self._locked():
            others = [seat for seat in self._taken() if seat["run"] != str(run.path)]
            _refuse_crowd(run.transfer, sorted({seat["transfer"] for seat in others} - {run.transfer}), most)
            mine = {"transfer": run.transfer, "run": str(run.path), "boot": lease.boot_id()}
            documents.save(self._file, {"format": FORMAT, "seats": [*others, mine]})

    def _taken(self):
        boot = lease.boot_id()
        return [seat for seat in (documents.load(self._file) or {"seats": []})["seats"] if _counts(seat, boot)]

    def _locked(self):
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = flock.hold(self._directory / "seats.lock", seconds=PATIENCE)
        if held is None:
            raise Busy(f"another process has held {self._directory}/seats.lock for {PATIENCE} s")
        return held


def _counts(seat, boot):
    run = Path(seat["run"])
    return seat["boot"] == boot and (flock.is_held(run / "lock") or flock.is_held(run / "preparing"))


def _refuse_crowd(transfer, others, most):
    if most and len(others) >= most:
        raise Busy(
            f"this host takes part in {len(others)} transfers already ({', '.join(others)}) and its max_transfers is "
            f"{most}: wait for one of them or cancel it, or raise max_transfers in this minion's configuration",
            transfer=transfer, others=others,
        )
