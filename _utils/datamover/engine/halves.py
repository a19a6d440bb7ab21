"""Digests of one end that wait for the other's, in bounded memory: beyond that they wait in the journal.

The source's run ahead of the data that is on its way, and thousands of tiny files fit into the kernel's buffers.
"""

from ..disk.journal import Side

HELD = 8192
"""How many wait in memory."""


class Halves:
    """For whoever holds the ledger's lock. One byte for each entry, beside those that are held."""

    def __init__(self, journal):
        self._journal = journal
        self._held = {}
        self._spilled = bytearray()

    def put(self, number, try_, content, ours):
        if len(self._held) < HELD:
            self._held[number] = content, ours
            return
        side = Side.OWN if ours else Side.SOURCE
        self._journal.put_content(number, try_, content, side)
        self._spilled += bytes(max(0, number + 1 - len(self._spilled)))
        self._spilled[number] = 1 + side

    def take(self, number):
        """(content, whether it is ours) of what waits for this entry, and waits no more; None if nothing does."""
        held = self._held.pop(number, None)
        if held is not None or not self._is_spilled(number):
            return held
        side = Side(self._spilled[number] - 1)
        self._spilled[number] = 0
        return self._journal.content(number, side), side == Side.OWN

    def drop_told(self):
        """Whatever the source told is told again."""
        self._held = {number: half for number, half in self._held.items() if half[1]}
        self._spilled = self._spilled.replace(bytes((1 + Side.SOURCE,)), b"\0")

    def drop(self, number):
        """Another try of the entry has begun."""
        self._held.pop(number, None)
        if self._is_spilled(number):
            self._spilled[number] = 0

    def _is_spilled(self, number):
        return number < len(self._spilled) and self._spilled[number]
