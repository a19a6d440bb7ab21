"""One thing that is left on a host: what is told about it, and what removes it."""

from collections.abc import Callable
from dataclasses import dataclass

from . import resting

PATIENCE = 10.0


@dataclass(frozen=True)
class Residue:
    """`removed` removes it and returns whether it is gone; None is only for people to act on."""

    about: dict
    removed: Callable[[], bool] | None = None


def in_runs(runs, look):
    """What `look(run)` yields of each run. One that is removed while it is looked at has nothing to yield."""
    for run in runs.all():
        try:
            yield from look(run)
        except Exception:
            if run.path.exists():
                raise


def of_run(what, run, removed, **more):
    """A residue of a run, with where it lies and how old it is."""
    told = {"what": what, "transfer": run.transfer, "role": run.role, "path": run.spec["path"]}
    return Residue({**told, "age": resting.age(run), **more}, removed)
