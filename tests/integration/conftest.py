"""Integration tests need root: they run in the lab's machines."""
import os

import pytest


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="the lab's machines need root"))
