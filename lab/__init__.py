"""A private Salt on one machine: a master and minions, each a small machine of its own.

`Lab` ties it together (lab.py); a machine boots, is entered and loses its power (machine.py); bridges and links
join and part the machines (network.py); salt.py writes the configuration and units of the daemons; leftovers.py
compares a machine with what it was before. Nothing here touches the host's network, firewall or Salt.
"""
from .lab import Lab, LabError
from .machine import Machine

__all__ = ["Lab", "LabError", "Machine"]
