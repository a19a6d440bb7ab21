"""What a runner prepared that died before the source was told to go: it is taken back, so that the copy can be begun
again, by another attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from transferplan import records

from . import asking, joining


def taken_back(opts: Mapping, transfer: str, hosts: Sequence[str]) -> int:
    """The number of the attempt that was taken back; 0 if bytes have moved, somebody has cancelled it, or not all tell.
    Only for who knows that nobody will say go any more.
    """
    told = asking.ends(opts, "record", transfer, list(hosts), asking.LOOK_TIMEOUT)
    known = joining.read(told.payloads)
    if told.silent or not known or not all(map(records.is_unbegun, known)):
        return 0
    return max(each.spec.attempt for each in known) if _have_ended(opts, transfer, known) else 0


def _have_ended(opts: Mapping, transfer: str, known: Sequence[records.Record]) -> bool:
    """What lives ends as after a failure, so that a further attempt can follow it."""
    alive = [each.member for each in known if each.runs]
    told = asking.members_of(opts, "cancel", transfer, alive, asking.END_TIMEOUT, keep=True)
    return {*told.payloads} == {*alive}
