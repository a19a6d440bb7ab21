"""What tests of whole copies need: something to copy, what rsync thinks of the copy, what the runner said of it."""

import shlex

from tests.functional.datamover.places import independent_differences, plant

ENTRY = {"file": b"content", "more": {"empty": b"", "big": bytes(range(256)) * 40_000}}


def plant_at(machine, path, tree):
    """Make a tree below /srv of a machine; gives where it is seen from outside."""
    place = machine.disk(path)
    place.mkdir(parents=True)
    return plant(place, tree)


def differences(one, other, source="/srv/data", copy="/srv/data"):
    """What rsync would still have to do to make the copy on the other machine equal to the source on the first."""
    return independent_differences(one.disk(source), other.disk(copy))


def names(done):
    """The names of all reasons."""
    return {reason["name"] for reason in done.data["reasons"]}


def words(done):
    """All reasons as one text."""
    return "\n".join(reason["text"] for reason in done.data["reasons"])


def assert_ok(done):
    """It is a proved copy, by exit status, result and receipt."""
    assert (done.returncode, done.data["result"], done.data["reasons"]) == (0, "ok", []), done.stderr
    assert done.data["receipt"]["proved"] is True


def outcome(done):
    """Exit status and result, which must fit each other."""
    return done.returncode, done.data["result"]


PLACES = ("src=alpha:/srv/data", "dst=beta:/srv/data")


def assert_shown_in_words(lab):
    """A copy and a list that are typed at a terminal; a document is there for who asks for it."""
    status, seen = _at_a_terminal(lab, "transfer.copy", *PLACES)
    assert (status, "ok: alpha:/srv/data to beta:/srv/data" in seen, "retcode" in seen) == (0, True, False), seen
    status, seen = _at_a_terminal(lab, "transfer.list", "state=finished")
    line = "  published  alpha:/srv/data to beta:/srv/data  "
    assert (status, line in seen, "ends:" in seen) == (0, True, False), seen
    status, seen = _at_a_terminal(lab, "transfer.watch")
    assert (status, "nothing runs" in seen, "retcode" in seen) == (0, True, False), seen
    status, seen = _at_a_terminal(lab, "--out=nested", "transfer.copy", *PLACES)
    assert (status, "[21 destination-exists]" in seen, "retcode" in seen) == (3, True, True), seen


def _at_a_terminal(lab, *words):
    """(status, what is seen) of a `salt-run` that is typed at a terminal of the master."""
    command = shlex.join(["salt-run", "--config-dir=/etc/salt", *words])
    done = lab.master.run(["script", "--quiet", "--return", "--command", command, "/dev/null"], check=False)
    return done.returncode, done.stdout
