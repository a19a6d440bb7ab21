"""`./dev stress`: some tests again and again beside processes that only compute. What depends on speed shows itself.

    ./dev stress tests/functional/worker/test_update.py                    ten times beside six that compute
    ./dev stress --times 30 --beside 8 tests/functional/worker -k kill     words beyond these options are for pytest
"""

import argparse
import contextlib
import subprocess
import sys
import time

BURN = [sys.executable, "-c", "while True: pass"]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
NOTHING_SELECTED = 5


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10, help="how often")
    parser.add_argument("--beside", type=int, default=6, help="how many processes compute meanwhile")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no further run after so many")
    options, words = parser.parse_known_args(arguments)
    with burning(options.beside):
        return tell(run_again_and_again(words, options.times, time.monotonic() + options.seconds))


@contextlib.contextmanager
def burning(count):
    """So many processes compute for nothing."""
    burners = [subprocess.Popen(BURN) for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def run_again_and_again(words, times, end):
    """The exit statuses of so many runs; whatever a failed one printed is shown at once."""
    statuses = []
    while len(statuses) < times and time.monotonic() < end and NOTHING_SELECTED not in statuses:
        began = time.monotonic()
        done = subprocess.run([*PYTEST, *words], capture_output=True, text=True, check=False)
        statuses.append(done.returncode)
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n")
        result = "failed" if done.returncode else "passed"
        print(f"run {len(statuses)} {result} after {time.monotonic() - began:.1f} s", flush=True)
    return statuses


def tell(statuses):
    """Say how many runs failed; the exit status."""
    failed = sum(status != 0 for status in statuses)
    print(f"{failed} of {len(statuses)} runs failed")
    return 1 if failed or not statuses else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
