"""What every test needs: our packages importable as Salt's loader makes them, the markers, and the lab's fixtures."""
import sys
from pathlib import Path

import salt  # puts its own finder in front of Python's, see below
import salt._logging

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "_utils")]

# Salt's finder for nacl has no find_spec, which pytest calls on every finder; nothing here needs it.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

# Salt keeps what it logs until somebody sets up logging, and at exit writes it to a stream that pytest has closed.
salt._logging.shutdown_temp_handler()

pytest_plugins = ["tests.support.lab_fixtures"]


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="also run what is marked slow")


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root (namespaces, firewalls, machines)")
    config.addinivalue_line("markers", "slow: runs only with --all")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--all"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]
