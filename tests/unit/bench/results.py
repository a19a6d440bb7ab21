"""Results as a campaign writes them, made up for what only shows or judges them."""

from bench.figures import Load, Run, summary
from bench.goals import judged


def runs(*seconds, processor=1.0, memory=50 << 20):
    """Runs that took so long, with the same cost on both ends."""
    cost = {"source": processor, "destination": processor}
    return [Run(each, cost, dict.fromkeys(cost, memory)) for each in seconds]


def side(name, *seconds, load, effort="plain", **more):
    return {"name": name, "effort": effort, **summary(runs(*seconds), load), **more}


def result(theirs="socat", ours=1.0, peer=2.0, goal=(), load=None, **more):
    """One row with figures."""
    load = load or Load(1 << 30)
    return {
        "group": "a group",
        "data": "incompressible",
        "link": "unshaped",
        "place": "tmpfs",
        "goal": list(goal),
        "bytes": load.bytes,
        "files": load.files,
        "ours": side("salt-transfer", ours, load=load),
        "theirs": side(theirs, peer, load=load),
        "ratio": round(peer / ours, 3),
        "verdict": judged(round(peer / ours, 3), goal),
        "rounds": 1,
        "took": 9.0,
        **more,
    }


def beside(cores, **more):
    """The same, while others kept so many processors at work."""
    return result(**more) | {"load": cores}


ABOUT = {
    "machine": {"processor": "Some", "cores": 2, "memory_gib": 8.0, "kernel": "6.1", "system": "Debian"},
    "code": "0123",
    "scale": {},
    "runs": 5,
    "destination": "memory",
    "version": "0.1.0",
    "date": "2026-01-02",
    "load": 0.1,
    "python": "3.11",
    "libraries": {"blake3": "1"},
    "packages": {"socat": "1.7"},
}


def document(**rows):
    return {"format": 1, "about": ABOUT, "rows": rows}
