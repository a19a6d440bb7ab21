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

    def test_a_name_that_the_reactor_left_in_the_options_keeps_nobody_out(self):
        with Fleet({**salt.config.master_config(CONFIG), "user": "Reactor"}) as fleet:
            self.test_each_minion_gets_its_own_arguments(fleet)
