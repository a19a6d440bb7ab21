"""Feeds everything that reads what others wrote with what nobody would write: python -m tests.fuzz [TARGET] [SECONDS].

With atheris (tests/fuzz/requirements.txt) the inputs are guided by the code that they reach; without it they are drawn
blindly from the seeds. A finding is written to .fuzz/ and ends with status 1; `python -m tests.fuzz TARGET FILE` runs
it again. Without a target the time is shared among all of them.
"""

import importlib.util
import os
import random
import subprocess
import sys
import time
import tracemalloc
from hashlib import sha256
from pathlib import Path

from tests.fuzz.mutation import drawn
from tests.fuzz.targets import CHECKOUT, targets

KEPT = CHECKOUT / ".fuzz"
SECONDS = 60
SPAN = 5.0
"""How long one input may take, in seconds of the processor."""
MEMORY = 64 << 20
"""How much one input may make a target hold, in bytes."""


def main(arguments):
    known = targets()
    chosen = [each for each in arguments[:1] if each in known] or list(known)
    rest = arguments[1:] if arguments[:1] == chosen else arguments
    if rest and not rest[0].isdigit():
        return again(known, chosen, rest[0])
    seconds = int(rest[0]) if rest else SECONDS
    guided = importlib.util.find_spec("atheris") is not None
    print("guided by atheris" if guided else "atheris is not here: inputs are drawn blindly", flush=True)
    fuzz = with_atheris if guided else blindly
    found = [name for name in chosen if not fuzz(name, known[name], max(1, seconds // len(chosen)))]
    print(f"findings in {', '.join(found)}: see {KEPT}" if found else f"nothing found in {', '.join(chosen)}")
    return 1 if found else 0


def again(known, chosen, file):
    """Run one input of before, where the target is named; its error is raised."""
    if len(chosen) != 1 or not os.path.exists(file):
        print(f"usage: python -m tests.fuzz [TARGET] [SECONDS|FILE], TARGET one of {', '.join(known)}", file=sys.stderr)
        return 64
    known[chosen[0]](Path(file).read_bytes())
    return 0


def with_atheris(name, target, seconds):
    """Whether nothing was found; what was learnt is kept for the next time."""
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds:
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-timeout={SPAN:g}", "-rss_limit_mb=1024", "-max_len=65536"]
    command = [sys.executable, "-m", "tests.fuzz.guided", name, *limits, f"-artifact_prefix={KEPT}/{name}-", corpus]
    done = subprocess.run([*command, "-print_final_stats=1", "-verbosity=0"], check=False, cwd=CHECKOUT)
    return done.returncode == 0


def blindly(name, target, seconds):
    """The same without a guide, from a seed that is told."""
    start = random.randrange(2**32)
    source, end, count = random.Random(start), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = drawn(source, target.seeds)
        if trouble := trouble_with(target, data):
            keep(name, data, trouble)
            return False
        count += 1
    print(f"{name}: {count} inputs from seed {start}", flush=True)
    return True


def trouble_with(target, data):
    """What is wrong with how a target takes an input; empty if nothing is."""
    tracemalloc.start()
    began = time.process_time()
    try:
        target(data)
        peak = tracemalloc.get_traced_memory()[1]
    except Exception as error:
        return f"raised {error!r}"
    finally:
        tracemalloc.stop()
    if peak > MEMORY:
        return f"held {peak} bytes"
    took = time.process_time() - began
    return f"took {took:.1f} s" if took > SPAN else ""


def keep(name, data, trouble):
    KEPT.mkdir(exist_ok=True)
    file = KEPT / f"{name}-{sha256(data).hexdigest()[:16]}"
    file.write_bytes(data)
    print(f"{name}: {trouble}: {file}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
