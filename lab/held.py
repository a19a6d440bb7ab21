"""What the files of a state directory say that a transfer has still: a line for each. Believes nothing of our product.

    python3 lab/held.py /var/lib/salt-transfer

Records of transfers and the audit trail stay for good reason and are not told. Neither are seats, which count only as
long as a lock below the directory is held, and locks are told.
"""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LOCKS = Path("/proc/locks")


def held(state):
    """Sentences about what a transfer has still: a claim, a ticket, a lock, a change to undo, a socket, a password."""
    state = Path(state)
    if not state.is_dir():
        return []
    return [*claims(state), *tickets(state), *locks(state), *undone_changes(state), *files(state)]


def claims(state):
    """Places that the register says are being written, and room that it has promised."""
    for entry in _document(state / "register/register.json").get("entries", []):
        yield f"the register says that {entry['transfer']} writes {entry['place']['path']} and was promised room"


def tickets(state):
    """Who waits for a seat. A ticket is void after its lease or in another boot."""
    boot, now = BOOT_ID.read_text().strip(), _boottime()
    for ticket in _document(state / "register/seats.json").get("tickets", []):
        if ticket["boot"] == boot and ticket["until"] > now:
            yield f"{ticket['transfer']} waits for a seat"


def locks(state):
    """Files on which the kernel holds a lock for somebody."""
    device = _device(state)
    taken = {line.split()[-3] for line in LOCKS.read_text().splitlines() if "->" not in line}
    for path in _walk(state):
        if f"{device}:{os.lstat(path).st_ino}" in taken:
            yield f"somebody holds a lock on {path}"


def undone_changes(state):
    """Changes that a run registered and nobody has undone."""
    for log in sorted(state.glob("runs/*/undo.log")):
        for what in sorted(_pending(log)):
            yield f"{log.parent.name} has not undone: {what}"


def resting(transfer):
    """The line that belongs to data of a transfer which rests in staging, and stays as long as that does."""
    return f"{transfer}-destination has not undone: staging"


def files(state):
    """What may be in a run directory only while a worker lives, and what is half made or half removed."""
    for path in sorted(state.glob("runs/*/control")):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            yield f"there is a socket {path}"
    yield from (f"there is {path}" for path in sorted(state.glob("runs/*/login.cnf")))
    yield from (f"there is {path}" for path in sorted(state.glob("runs/.*")))


def _pending(log):
    """What the changes of an undo log are that no later line says are done."""
    changes = {}
    for line in log.read_bytes().splitlines():
        match _parsed(line):
            case {"seq": seq, "done": True}:
                changes.pop(seq, None)
            case {"seq": seq, "what": what}:
                changes[seq] = what
    return changes.values()


def _parsed(line):
    try:
        return json.loads(line)
    except ValueError:  # empty, or torn by a crash
        return None


def _document(path):
    return json.loads(path.read_bytes()) if path.exists() else {}


def _boottime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _device(path):
    """Major and minor number of the file system, as the kernel writes them beside its locks."""
    told = ["findmnt", "--noheadings", "--output", "MAJ:MIN", "--target", str(path)]
    major, minor = subprocess.run(told, capture_output=True, text=True, check=True).stdout.split()[0].split(":")
    return f"{int(major):02x}:{int(minor):02x}"


def _walk(state):
    return (Path(at, name) for at, _, names in os.walk(state) for name in sorted(names))


if __name__ == "__main__":
    print(*held(sys.argv[1]), sep="\n")
