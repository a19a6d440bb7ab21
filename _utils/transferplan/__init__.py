"""What a transfer is asked to do, whether it may, and how it goes: decided without any I/O.

`request` and `settings` read what a user wrote, `facts` what the minions answered, `plan` joins them into a plan or a
refusal with every reason. `course` says what the runner does next, `events` and `report` what it tells, `statement`
what minions sign. Nothing here reads a clock, a file or a socket.
"""

from .version import PROJECT, VERSION

__all__ = ["PROJECT", "VERSION"]
