import pytest
from lab import Lab

from .hosts import MachineHost


@pytest.fixture(scope="package")
def machine():
    """The one host on which a real firewalld runs."""
    with Lab(minions=("destination",), salt=None, firewall="firewalld") as lab:
        yield MachineHost(lab.machine("destination"), "destination")
