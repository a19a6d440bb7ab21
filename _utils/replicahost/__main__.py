"""What the timer runs: python -I -B HOLDS/code/replicahost/__main__.py HOLDS   takes back what nobody goes on with."""

import sys
from pathlib import Path

# Everything comes from the copy beside the holds, whatever is installed or synced elsewhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from replicahost import holds  # noqa: E402  the path had to be set first


def _say(sentence):
    print(sentence, file=sys.stderr)


def main(words):
    troubles = holds.take_back_overdue(words[0], _say)
    for trouble in troubles:
        _say(trouble)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
