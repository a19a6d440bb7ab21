"""Defects of the tools that came before us: none of them may come back.

Between whole machines, here: a failed copy leaves its pinhole open; a stage that fails early is not noticed; a
directory that lists in another order is called corrupt; a single file loses owner, mode and time; a rule is taken for
ours by a part of its comment; who is killed leaves remote processes.

Elsewhere: a cipher fed by the spoonful (functional/test_ancestor_defects), sleeping in place of readiness
(unit/test_ancestor_defects), secrets in argv (test_secrets), IPv4 alone (test_firewalls, test_copy), the same rules
on every firewall there is (functional/hosttools/test_firewall_conformance).
"""

import os
import signal

import pytest

from tests.support.copying import SLOW_BYTES, Copying, plant_random, slowed
from tests.support.runs import assert_ok, names, outcome, plant_at, words

MB = 1_000_000
RATE = "48mbit"


def tagged(machine, tag):
    """The lines of a machine's ruleset in which this appears."""
    return [line.strip() for line in machine.output("nft", "list", "ruleset").splitlines() if tag in line]


# --- a failure is noticed, and undone ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_failed_copy_leaves_no_pinhole_open(clean_lab, alpha, beta):
    plant_random(alpha, "/srv/data/1-big", 20 * MB)
    plant_at(alpha, "/srv/data/2-more", {"file": b"it will be gone"})
    with slowed(beta, RATE), Copying(clean_lab, "alpha:/srv/data", "beta:/srv/") as copying:
        copying.await_moving()
        assert tagged(beta, copying.transfer)
        alpha.run(["rm", "-r", "/srv/data/2-more"])
        done = copying.finish()
    assert (outcome(done), names(done)) == ((2, "failed"), {"source-vanished"})
    assert "2-more" in words(done)
    assert tagged(beta, copying.transfer) == []
    assert os.listdir(beta.disk("/srv")) == [f".salt-transfer-{copying.transfer}"], "what had arrived, to be resumed"


@pytest.fixture
def failing_disk(alpha):
    """A disk at /srv/disk of alpha with a file whose bytes can no longer be read: the kernel says EIO."""
    image = alpha.mount_disk("/srv/disk", 64)
    plant_random(alpha, "/srv/disk/data/file", 20 * MB)
    alpha.run(["sync", "--file-system", "/srv/disk"])
    alpha.run(["dd", "if=/srv/disk/data/file", "iflag=nocache", "count=0", "status=none"])
    os.truncate(image, MB)
    yield
    alpha.run(["umount", "/srv/disk"])
    image.unlink()


def test_a_reader_that_fails_makes_the_copy_fail(run, beta, failing_disk):
    done = run(src="alpha:/srv/disk/data", dst="beta:/srv/")
    assert (outcome(done), names(done)) == ((2, "failed"), {"source-unreadable"})
    assert "file" in words(done) and "EIO" in words(done)
    assert os.listdir(beta.disk("/srv")) == [f".salt-transfer-{done.data['transfer']}"]


def test_who_is_killed_leaves_nothing_that_a_cancel_does_not_end(clean_lab, run, alpha, beta):
    plant_random(alpha, "/srv/big", SLOW_BYTES)
    with slowed(beta), Copying(clean_lab, "alpha:/srv/big", "beta:/srv/copy") as copying:
        copying.await_moving()
        clean_lab.master.signal(copying.process, signal.SIGKILL)
        copying.process.communicate()
        assert processes_of(copying.transfer, alpha) and processes_of(copying.transfer, beta)
        assert run("cancel", transfer=copying.transfer).returncode == 0
        assert processes_of(copying.transfer, alpha) == processes_of(copying.transfer, beta) == []
    assert os.listdir(beta.disk("/srv")) == []


def processes_of(transfer, machine):
    lines = machine.output("ps", "-eo", "args", "--no-headers").splitlines()
    return [line for line in lines if transfer in line and "transferworker" in line]


# --- what is equal is called equal ------------------------------------------------------------------------------------


@pytest.fixture
def tmpfs(beta):
    """A file system of another kind at /srv/other of beta."""
    beta.run(["mkdir", "/srv/other"])
    beta.run(["mount", "-t", "tmpfs", "tmpfs", "/srv/other"])
    yield
    beta.run(["umount", "/srv/other"])


def test_a_directory_that_lists_in_another_order_is_equal(run, alpha, beta, tmpfs):
    tree = plant_at(alpha, "/srv/data", {f"{number:x}": b"%d" % number for number in range(300)})
    assert_ok(run(src="alpha:/srv/data", dst="beta:/srv/other/"))
    ours, theirs = os.listdir(tree), os.listdir(beta.path("/srv/other/data"))
    assert ours != theirs and sorted(ours) == sorted(theirs)
    sums = ["sh", "-c", "cd $0 && find . -type f -exec sha256sum {} + | sort"]
    assert alpha.output(*sums, "/srv/data") == beta.output(*sums, "/srv/other/data")


def test_a_single_file_keeps_owner_mode_and_time(run, alpha, beta):
    plant_random(alpha, "/srv/file", 1000)
    alpha.run(["chown", "mail:games", "/srv/file"])
    alpha.run(["chmod", "4751", "/srv/file"])
    alpha.run(["touch", "--date=2001-02-03 04:05:06.789012345", "/srv/file"])
    assert_ok(run(src="alpha:/srv/file", dst="beta:/srv/copy", special="setuid"))
    shown = ["stat", "--format=%U %G %a %y %s"]
    assert alpha.output(*shown, "/srv/file") == beta.output(*shown, "/srv/copy")


# --- rules of others --------------------------------------------------------------------------------------------------


@pytest.fixture
def reloaded(beta):
    """beta's firewall is afterwards what it is at boot."""
    yield
    beta.run(["nft", "-f", "/etc/nftables.conf"])


def test_rules_of_others_stay_however_much_they_look_like_ours(clean_lab, alpha, beta, reloaded):
    plant_random(alpha, "/srv/big", 20 * MB)
    with slowed(beta, RATE), Copying(clean_lab, "alpha:/srv/big", "beta:/srv/copy") as copying:
        copying.await_moving()
        tag = f"salt-transfer:{copying.transfer}:1"
        comments = [f"{tag}0", f"{tag} ", f"see {tag}", f"salt-transfer:{'0' * 32}:1", "salt-transfer"]
        for comment in comments:
            beta.run(
                ["nft", f'insert rule inet filter input ip saddr {alpha.ip} tcp dport 9 accept comment "{comment}"']
            )
        done = copying.finish()
    assert_ok(done)
    assert [sum(f'"{comment}"' in line for line in tagged(beta, "comment")) for comment in comments] == [1] * 5
    assert tagged(beta, f'"{tag}"') == []
