"""What this host notes on its disk for longer than a process lives: holds, what was settled, counts.

Each note tells its format, which is that of a hold's undo log too. One from before formats had numbers is of format 1.
"""

from datamover.host import documents
from replicaplan.errors import NotesUnreadable

FORMAT = 1
"""Whoever raises it: the timer runs a copy of the code from when a hold began last, and what that copy cannot read it
never takes back. So a hold under way has to keep the format with which it began, or the copy has to be renewed first.
"""
FORGOTTEN = "put an older copy in its place, or move it away, so that what it tells is forgotten."


def save(path, note):
    """Replace it whole and durably."""
    documents.save(path, {"format": FORMAT, **note})


def load(path, remedy=FORGOTTEN):
    """The note without its format; None if there is none. NotesUnreadable if it is damaged, with what to do then in
    words, or of another version.
    """
    try:
        found = documents.load(path)
    except ValueError as error:
        raise _damaged(path, ascii(str(error))[1:-1], remedy) from error
    if found is None:
        return None
    if not isinstance(found, dict):
        raise _damaged(path, "it is no mapping", remedy)
    number = found.pop("format", FORMAT)
    if number != FORMAT:
        what = f"{path} is of format {number}, and this version reads format {FORMAT}"
        raise NotesUnreadable(f"{what}: bring salt-transfer on this host up to the version that wrote it.")
    return found


def _damaged(path, why, remedy):
    return NotesUnreadable(f"{path} is damaged ({why}): {remedy}")
