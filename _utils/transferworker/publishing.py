"""How verified data gets its final name: the whole at one stroke, or for an update file by file.

What is begun here is found by its intent on disk, which tells the way that was taken, and finished or given up by
whoever comes after a crash.
"""

from datamover.disk import publish, settle


def intend(staging, settings):
    """All refusals; changes nothing."""
    if settings["in_place"]:
        return settle.intend(staging, settings["owners"])
    return publish.intend(staging, settings["overwrite"])


def carry_out(staging, intent, step):
    """Do it and bring it to the disk. True if it happened as atomically as was said."""
    if isinstance(intent, settle.Intent):
        settle.publish(staging, intent, step)
        return True
    return publish.publish(staging, intent)


def recover(staging, told):
    """Finish what was begun with the intent `told`; where the data is then."""
    way = _way(told)
    return way.recover(staging, way.Intent.from_dict(told))


def discard(staging, told):
    """Remove the staging directory and in it what was replaced."""
    way = _way(told)
    way.discard(staging, way.Intent.from_dict(told))


def is_in_parts(told):
    """Whether what is published with the intent `told` may be there in part."""
    return told["how"] == settle.HOW


def _way(told):
    return settle if is_in_parts(told) else publish
