"""Which ratio was hoped for, and whether it was reached. Pure; nothing fails because of it."""

MET, MET_STRETCH, NOT_MET = "met", "met, and the stretch", "not met"


def judged(ratio, goal):
    """In words; None where nothing was hoped for."""
    if not goal:
        return None
    least, stretch = goal
    return NOT_MET if ratio < least else MET if ratio < stretch else MET_STRETCH


def bridged(row, results):
    """The ratio against a peer that is not here, by way of one that is; None if that was not measured either."""
    beside = [result for result in results.values() if is_beside(row, result)]
    return round(beside[0]["ratio"] / row.bridge.factor, 3) if beside else None


def is_beside(row, result):
    return (
        "ratio" in result
        and (result["group"], result["data"], result["theirs"]["name"]) == (row.group, row.data, row.bridge.peer)
        and result["ours"]["name"] == row.ours
    )
