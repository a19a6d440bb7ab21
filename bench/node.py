"""One host among many, as a process of its own: `python bench/node.py source|destination`.

As bench/end.py, but that a destination says when all it was sent is verified and would be published; in a chain it
goes on from there until those behind it have ended.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_utils"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.end import PORTS, SPECIAL, TRANSFER, hear, processor_seconds, say  # noqa: E402
from datamover.disk.journal import Journal  # noqa: E402
from datamover.disk.staging import Staging  # noqa: E402
from datamover.disk.tree import SourceTree  # noqa: E402
from datamover.engine import channel  # noqa: E402
from datamover.engine.origin import Origin  # noqa: E402
from datamover.engine.progress import Progress  # noqa: E402
from datamover.engine.receiver import Receiver  # noqa: E402
from datamover.engine.relay import Relay  # noqa: E402
from datamover.engine.sender import Sender  # noqa: E402
from datamover.engine.stop import Stop  # noqa: E402


def main(role):
    order = hear()
    identity = channel.make_identity(order["host"])
    listener = channel.bind([order["address"]], 0, PORTS) if role == "destination" else None
    port = listener and listener.getsockname()[1]
    say({"host": order["host"], "role": role, "port": port, "certificate": identity.certificate})
    roster = hear()
    before = processor_seconds()
    outcome = end(role, order, roster, identity, listener).run()
    spent = {"processor": processor_seconds() - before, "stages": outcome.stages.as_dict()}
    say({**spent, "error": outcome.error and outcome.error.text})
    return 0


def end(role, order, roster, identity, listener):
    """The engine's own object for this role, in a chain or not; what arrives stays in its staging directory."""
    place = {"transfer": TRANSFER, "attempt": 1, "dataset": TRANSFER, "generation": 1, "epoch": 1, "leaf": 0}
    spec = {**place, "role": role, "host": order["host"], "settings": order["settings"], **order["more"]}
    path, journal, common = os.fsencode(order["path"]), Journal(""), (Progress(), Stop())
    if role == "source":
        kind = Origin if "fanout" in spec else Sender
        return kind(spec, roster, identity, SourceTree(path, journal, SPECIAL), journal, *common)
    staging = Staging.create(path, TRANSFER, {}, journal, special=SPECIAL)
    work = spec, roster, identity, listener, staging, journal, *common, lambda: say({"there": True})
    return Relay(*work, lambda members: None) if "fanout" in spec else Receiver(*work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
