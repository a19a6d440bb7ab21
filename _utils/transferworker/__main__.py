"""The worker's command line: python -I -B RUN/code/transferworker/__main__.py run|undo|guard RUN"""

import sys
from pathlib import Path

# Everything comes from the copy in the run directory, whatever is installed or synced elsewhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from transferworker import program  # noqa: E402  the path had to be set first

if __name__ == "__main__":
    sys.exit(program.main(sys.argv[1:]))
