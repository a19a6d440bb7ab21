"""Moves bytes between hosts: the format of what travels, the disk edge, the network edge, and the two ends of a
transfer.

Nothing here imports salt or the packages beside it: the same files are synced by Salt, shipped in a wheel and copied
into a run directory, where a worker runs them on its own.
"""
