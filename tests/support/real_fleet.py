"""The conformance of the real fleet. Run by pytest on a machine whose master has minions alpha and beta."""

import os

import pytest
import salt.config

from saltface import Fleet
from tests.support.fleet import FleetConformance

CONFIG = os.environ.get("MASTER_CONFIG", "/etc/salt/master")


class TestRealFleet(FleetConformance):
    @pytest.fixture
    def fleet(self):
        with Fleet(salt.config.master_config(CONFIG)) as fleet:
            yield fleet
