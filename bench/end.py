"""One end of a transfer by our engine, as a process of its own: `python bench/end.py source|destination [MODULE ...]`.

The modules are as if this Python did not have them.
It says who it is, hears the order and the roster, moves, and says how it went, one line of JSON each way. As in a real
transfer the worker is there before the clock starts; its own processor time since then is what it tells.
"""

import json
import os
import resource
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.modules.update(dict.fromkeys(sys.argv[2:]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_utils"))

from datamover.disk.journal import Journal  # noqa: E402
from datamover.disk.staging import DATA, Staging, staging_name  # noqa: E402
from datamover.disk.tree import SourceTree  # noqa: E402
from datamover.engine import channel  # noqa: E402
from datamover.engine.progress import Progress  # noqa: E402
from datamover.engine.receiver import Receiver  # noqa: E402
from datamover.engine.sender import Sender  # noqa: E402
from datamover.engine.stop import Stop  # noqa: E402

TRANSFER = "be" * 16
PORTS = [20000, 30000]
SPECIAL = frozenset()


def main(role):
    order = hear()
    identity = channel.make_identity(role)
    listener = channel.bind([order["address"]], 0, PORTS) if role == "destination" else None
    port = listener and listener.getsockname()[1]
    say({"host": role, "role": role, "port": port, "certificate": identity.certificate})
    roster = hear()
    before = processor_seconds()
    outcome = end(role, order, roster, identity, listener).run()
    spent = {"processor": processor_seconds() - before, "stages": outcome.stages.as_dict()}
    say({**spent, "wire_bytes": outcome.wire_bytes, "error": outcome.error and outcome.error.text})
    return 0


def end(role, order, roster, identity, listener):
    """The engine's own object for this role; what arrives stays in its staging directory."""
    place = {"transfer": TRANSFER, "attempt": 1, "dataset": TRANSFER, "generation": 1, "epoch": 1, "leaf": 0}
    spec = {**place, "role": role, "host": role, "settings": order["settings"]}
    path, journal, common = os.fsencode(order["path"]), Journal(""), (Progress(), Stop())
    if role == "source":
        return Sender(spec, roster, identity, SourceTree(path, journal, SPECIAL), journal, *common)
    staging = Staging.create(path, TRANSFER, {}, journal, special=SPECIAL)
    return Receiver(spec, roster, identity, listener, staging, journal, *common, lambda: None)


def arrived(final):
    """Where the data of a transfer to this final name lies until it is published."""
    return os.path.join(os.path.dirname(final), os.fsdecode(staging_name(TRANSFER)), os.fsdecode(DATA))


def processor_seconds():
    """Of this process and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def hear():
    return json.loads(sys.stdin.readline())


def say(document):
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
