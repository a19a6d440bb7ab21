"""One backup for several replicas: copied, completed where it was lost on its way, prepared. All servers go on then.

So a replica at which any of this fails is left out, and costs the others nothing.
"""

from __future__ import annotations

from typing import Any

from replicaplan.clone import Plan

from .asking import LONG, Hosts
from .courier import Copied, Courier
from .story import Story, Wish


def copy(courier: Courier, plan: Plan, wish: Wish, story: Story) -> Copied:
    """The backup arrives, in the end from one that has it: before anything is prepared they are the same."""
    with story.step("copy", source=wish.source, replicas=list(wish.replicas)):
        found = courier.copy(plan.source_place, [plan.target_place(host) for host in wish.replicas])
    story.arrived = _there(wish, found)
    if found.missing and found.transfer:
        sibling = story.arrived[0]
        with story.step("complete", source=sibling, replicas=list(found.missing)):
            found = courier.complete(found, sibling)
        story.arrived = _there(wish, found)
    words = f"The backup did not arrive at {', '.join(found.missing)}: {found.why}"
    story.left.update(dict.fromkeys(found.missing, words))
    return found


def _there(wish: Wish, found: Copied) -> tuple[str, ...]:
    return tuple(host for host in wish.replicas if host not in found.missing)


def prepare(hosts: Hosts, plan: Plan, wish: Wish, story: Story) -> dict[str, Any]:
    """{replica: what its prepared backup says}; raised is what went wrong only if it did so at all of them."""
    asked = {host: {"target": plan.incoming(host), "memory": wish.memory} for host in story.arrived}
    with story.step("prepare", replicas=list(story.arrived)):
        backups, failed = hosts.tell_each(asked, "prepare", LONG)
    if not backups:
        raise next(iter(failed.values()))
    story.left.update({host: error.text for host, error in failed.items()})
    return backups
