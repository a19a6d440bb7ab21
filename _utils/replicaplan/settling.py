"""Whether what was installed may be kept for good: after that nothing takes it back any more."""

from __future__ import annotations

from collections.abc import Sequence

from .channels import against_replicating
from .facts import Facts


def against_settling(step: str, masked: bool, running: bool, channels: Sequence[Facts]) -> list[str]:
    """Every reason not to. That it was proved may be somebody's word, so how the server is now counts too."""
    against = []
    if step != "proved":
        against.append("This installation was not proved yet: replica.settle comes after the proof.")
    if masked:
        against.append("The unit of the server is masked: replica.start_isolated starts it on the new data.")
    if running:
        against += against_replicating(channels)
    else:
        against.append("No database answers on the new data: settled, it would stay down for good.")
    return against
