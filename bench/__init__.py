"""Measures salt-transfer beside the tools that people use today, between two network namespaces: `./dev bench`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_utils"))
