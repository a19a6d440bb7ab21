"""A private Salt on one machine: a master and minions, each a small machine of its own.

    lab.py        the Lab ties everything together
    home.py       where a lab keeps its state, and where its control groups are
    machine.py    one machine: its disk, its power, commands in it; boot.sh is how it boots
    furniture.py  what lies on a machine's disk before its first boot: names, units, firewall
    network.py    bridges and links, and what disturbs a link
    salt.py       configuration and units of master and minions
    daemons.py    those units as factories of pytest-salt-factories
    bus.py        the master's events; listener.py is its end on the master
    leftovers.py  the check that compares a machine with what it was before
    bin/          commands for the people and tests in the lab

Nothing here touches the host's network, firewall or Salt.
"""
from .errors import LabError
from .lab import Lab
from .machine import Machine

__all__ = ["Lab", "LabError", "Machine"]
