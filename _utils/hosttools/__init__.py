"""Speaks to the tools of a host: firewalls, sockets, mounts, units.

Nothing here runs anything. A conversation with a tool is a *program*: a generator that yields commands and is
sent their results (see `commands`). The worker, the execution modules and the tests bring each their own way to
run one.
"""
