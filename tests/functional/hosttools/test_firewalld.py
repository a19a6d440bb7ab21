"""What is peculiar to firewalld: zones, timers in a daemon, permanent settings; on a machine where a real one runs."""

import contextlib
import threading

import pytest

from hosttools import errors, firewall, firewalld
from hosttools.commands import drive
from hosttools.pinholes import Pinhole, tag
from tests.support.waiting import eventually

from .guards import FIREWALLD, snapshot
from .hosts import OTHER_PORT, PORT, hosts

pytestmark = pytest.mark.root

TAG = tag("0123456789abcdef0123456789abcdef", 1)
LEASE = 600


@pytest.fixture
def net(machine):
    with hosts(machine) as found:
        yield found


@pytest.fixture
def destination(net):
    host = net["destination"]
    FIREWALLD.install(host)
    with host.listening(PORT):
        yield host


@pytest.fixture
def source(net):
    return net["source"]


def opened(host, source, port=PORT):
    bare = Pinhole(TAG, tuple(source.addresses.values()), host.addresses["ip"], port)
    hole = firewall.with_chains(bare, drive(firewall.survey(), host.run)["chains"])
    drive(firewall.open(hole, LEASE), host.run)
    return hole


def listed(host):
    return drive(firewall.openings(TAG), host.run)


@contextlib.contextmanager
def in_background(step):
    """Call `step` again and again in a thread, until it returns False or this ends."""
    over = threading.Event()

    def work():
        while not over.is_set() and step():
            pass

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_renewing_never_leaves_a_gap(destination, source):
    hole = opened(destination, source, OTHER_PORT)
    answers = []

    def knock():
        answers.append(source.reaches(destination, "ip", OTHER_PORT))
        return answers[-1]

    def answer():
        with contextlib.suppress(TimeoutError), listener.accept()[0]:
            pass
        return True

    with destination.socket("ip") as listener:
        listener.bind((destination.addresses["ip"], OTHER_PORT))
        listener.listen(64)
        listener.settimeout(0.2)
        with in_background(answer), in_background(knock):
            for _ in range(10):
                before = len(answers)
                drive(firewall.renew(hole, LEASE), destination.run)
                assert eventually(lambda before=before: len(answers) > before)
    assert all(answers)


@pytest.mark.parametrize("reload", ["--reload", "--complete-reload"])
def test_what_somebody_reloads_is_opened_again(destination, source, reload):
    hole = opened(destination, source)
    destination.call("firewall-cmd", reload)
    with pytest.raises(errors.PinholeGone, match="no rule for 10.9.0.2 in the zone public"):
        drive(firewall.renew(hole, LEASE), destination.run)
    drive(firewall.reopen(hole, LEASE), destination.run)
    assert source.reaches(destination, "ip") and source.reaches(destination, "ip6")


def test_a_zone_that_takes_the_packets_from_now_on_is_opened_too(destination, source):
    hole = opened(destination, source)
    destination.call("firewall-cmd", "--zone=internal", "--change-interface=eth0")
    with pytest.raises(errors.PinholeGone, match="a packet must pass firewalld inet zone internal now"):
        drive(firewall.renew(hole, LEASE), destination.run)
    drive(firewall.reopen(hole, LEASE), destination.run)
    assert source.reaches(destination, "ip")
    assert {opening.chain.chain for opening in listed(destination)} == {"internal", "public"}
    destination.call("firewall-cmd", "--zone=internal", "--remove-interface=eth0")


def test_what_somebody_saved_while_it_was_open_is_removed_when_it_closes(destination, source):
    opened(destination, source)
    destination.call("firewall-cmd", "--runtime-to-permanent")
    assert TAG in permanent(destination)
    drive(firewall.close(TAG), destination.run)
    assert TAG not in permanent(destination)
    destination.call("firewall-cmd", "--reload")
    assert listed(destination) == []


def test_what_was_saved_and_restored_is_found_and_removed_by_its_tag(destination, source):
    before = snapshot(destination)
    opened(destination, source)
    destination.call("firewall-cmd", "--runtime-to-permanent")
    destination.call("firewall-cmd", "--reload")
    assert {opening.tag for opening in listed(destination)} == {TAG}
    drive(firewall.close(TAG), destination.run)
    destination.call("firewall-cmd", "--reload")
    assert snapshot(destination) == before


def permanent(host):
    return host.call("cat", "/etc/firewalld/zones/public.xml")


def test_what_a_killed_firewalld_left_in_the_kernel_is_closed(destination, source):
    opened(destination, source)
    destination.call("systemctl", "kill", "--signal=KILL", "firewalld")
    assert eventually(lambda: not drive(firewalld.runs(), destination.run))
    assert source.reaches(destination, "ip")
    assert len(listed(destination)) == 2
    drive(firewall.close(TAG), destination.run)
    assert listed(destination) == []
    assert not source.reaches(destination, "ip")
