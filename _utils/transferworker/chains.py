"""What the spec and the roster of a chain say of who stands where."""


def is_chain(spec):
    """Whether the source of this spec serves several destinations, one behind the other."""
    return "fanout" in spec


def neighbours(spec):
    """All others that take part: those before this end, and those after it."""
    return [*spec["peers"], *spec.get("successors", ())]


def others(spec):
    """Who takes part beside this end, as every answer about a transfer tells it: without addresses."""
    return [{name: each[name] for name in ("host", "role")} for each in neighbours(spec)]


def predecessor(roster, host):
    """Who serves this destination if nobody is lost. The first destination, which any one alone is, the source does."""
    members = roster.members
    place = next(at for at, member in enumerate(members) if member.host == host and member.role == "destination")
    before = [member for member in members[:place] if member.role == "destination"]
    return before[-1] if before else roster.source
