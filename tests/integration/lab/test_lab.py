"""The lab itself: what other tests take for granted about its machines."""
import signal
import subprocess

import pytest
from lab import Lab, LabError
from lab.machine import await_end

from tests.support.reach import hears, serve, stop_serving

PORT = 4471


def allow(machine, port=PORT):
    machine.run(["nft", "add", "rule", "inet", "filter", "input", "tcp", "dport", port, "accept"])


def reload_firewall(machine):
    machine.run(["nft", "-f", "/etc/nftables.conf"])


@pytest.fixture
def greeter(lab):
    """beta greets on PORT; its firewall is as it was afterwards, and so are its links."""
    machine = lab.machine("beta")
    serve(machine, PORT)
    yield machine
    stop_serving(machine, PORT)
    reload_firewall(machine)
    for link in machine.links:
        link.heal()


def test_all_minions_answer(lab):
    assert lab.run_module("*", "test.ping").data == {"alpha": True, "beta": True, "gamma": True}


def test_commands_of_salt_are_factories_too(lab):
    assert sorted(lab.command("salt-run").run("manage.up").data) == ["alpha", "beta", "gamma"]
    assert lab.command("salt-call", minion="beta").run("grains.get", "id").data == "beta"


def test_daemons_are_factories_too(lab):
    assert lab.daemon("master").is_running()
    assert lab.daemon("gamma").pid != lab.daemon("beta").pid


@pytest.mark.slow
def test_a_daemon_can_be_stopped_for_a_while(lab):
    minion = lab.daemon("gamma")
    with lab.bus() as bus:
        with minion.stopped():
            assert not lab.daemon("gamma").is_running()
        bus.await_start(["gamma"])


def test_a_machine_is_a_small_computer(lab):
    machine = lab.machine("beta")
    assert machine.output("cat", "/proc/1/comm") == "systemd"
    assert machine.output("hostname") == "beta"
    assert machine.output("systemctl", "--failed", "--no-legend") == ""


@pytest.mark.parametrize("place", ["/srv", "/tmp", "/var/lib/salt-transfer"])
def test_places_of_staging_are_no_overlay(lab, place):
    machine = lab.machine("alpha")
    assert machine.output("stat", "--file-system", "--format=%T", place) != "overlayfs"
    machine.run(["mkdir", f"{place}/a"])
    machine.run(["python", "-c", "import os, sys; os.rename(*sys.argv[1:])", f"{place}/a", f"{place}/b"])
    machine.run(["rmdir", f"{place}/b"])


def test_the_kernel_of_the_host_is_out_of_reach(lab):
    assert lab.machine("alpha").run(["sysctl", "-w", "kernel.panic=3"], check=False).returncode != 0


def test_the_firewall_drops_what_it_does_not_know(lab, greeter):
    assert hears(greeter, "127.0.0.1", PORT)
    assert not hears(lab.machine("gamma"), greeter.ip, PORT)


def test_every_address_of_a_machine_can_be_reached(lab, greeter):
    allow(greeter)
    addresses = [address for pair in greeter.addresses.values() for address in pair]
    assert [address for address in addresses if not hears(lab.machine("gamma"), address, PORT)] == []


def test_a_link_that_is_down_carries_nothing(lab, greeter):
    allow(greeter)
    for link in greeter.links:
        link.down()
    assert not hears(lab.machine("gamma"), greeter.ip, PORT)
    for link in greeter.links:
        link.up()
    assert hears(lab.machine("gamma"), greeter.ip, PORT)


def test_a_link_drops_one_port_only(lab, greeter):
    allow(greeter)
    greeter.link().drop(PORT)
    assert not hears(lab.machine("gamma"), greeter.ip, PORT)
    assert hears(lab.machine("gamma"), greeter.addresses["back"][0], PORT)
    assert lab.run_module("beta", "test.ping").data == {"beta": True}
    greeter.link().heal()
    assert hears(lab.machine("gamma"), greeter.ip, PORT)


def test_a_link_can_be_slow(lab, greeter):
    greeter.link().rate("10mbit")
    assert "rate 10Mbit" in greeter.output("tc", "qdisc", "show", "dev", "eth0")
    greeter.link().heal()
    assert "tbf" not in greeter.output("tc", "qdisc", "show", "dev", "eth0")


def test_a_reboot_keeps_the_disk_and_nothing_else(lab):
    machine = lab.machine("gamma")
    boot_id = machine.output("cat", "/proc/sys/kernel/random/boot_id")
    machine.run(["sh", "-c", "echo kept >/srv/kept; echo kept >/root/kept; echo lost >/run/lost"])
    allow(machine)
    lab.reboot("gamma")
    assert machine.output("cat", "/proc/sys/kernel/random/boot_id") not in ("", boot_id)
    assert machine.output("cat", "/srv/kept", "/root/kept") == "kept\nkept"
    assert machine.run(["test", "-e", "/run/lost"], check=False).returncode == 1
    assert str(PORT) not in machine.output("nft", "list", "ruleset")
    assert lab.run_module("gamma", "test.ping").data == {"gamma": True}
    machine.run(["rm", "/srv/kept", "/root/kept"])


def test_a_power_cut_is_not_announced(lab, greeter):
    """The other end of a connection hears nothing: neither an end nor a reset."""
    allow(greeter, PORT + 1)
    greeter.run(["systemd-run", "--quiet", "--unit=silent", "socat", f"TCP-LISTEN:{PORT + 1}", "EXEC:cat"])
    connect = ["socat", "-", f"TCP:{greeter.ip}:{PORT + 1},retry=600,interval=0.1"]
    client = lab.machine("gamma").popen(connect, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    client.stdin.write(b"x")
    client.stdin.flush()
    assert client.stdout.read(1) == b"x"
    with lab.bus() as bus:
        greeter.cut_power()
        assert client.poll() is None
        greeter.boot()
        bus.await_start(["beta"])
    client.kill()
    client.communicate()
    serve(greeter, PORT)


@pytest.mark.slow
def test_restarting_the_minion_kills_its_children_but_no_unit(lab):
    machine = lab.machine("alpha")
    lab.run_module("alpha", "cmd.run", "setsid sleep 1001 >/dev/null 2>&1 & systemd-run -q --unit=apart sleep 1002")
    assert "sleep 1001" in machine.output("ps", "axo", "args")
    with lab.bus() as bus:
        machine.run(["systemctl", "restart", "salt-minion"])
        bus.await_start(["alpha"])
    processes = machine.output("ps", "axo", "args")
    assert "sleep 1001" not in processes
    assert "sleep 1002" in processes
    machine.run(["systemctl", "stop", "apart"])


def test_a_disk_of_a_given_size_is_full_when_it_is_full(lab):
    machine = lab.machine("alpha")
    machine.mount_disk("/srv/small", 8)
    assert machine.run(["dd", "if=/dev/zero", "of=/srv/small/file", "bs=1M", "count=9"], check=False).returncode != 0
    machine.run(["umount", "/srv/small"])
    machine.run(["rmdir", "/srv/small"])


def test_input_and_status_of_a_command_pass_through(lab):
    machine = lab.machine("alpha")
    assert machine.run(["cat"], input="through").stdout == "through"
    assert machine.run(["sh", "-c", "exit 7"], check=False).returncode == 7
    with pytest.raises(LabError, match="alpha: false ended with status 1"):
        machine.run(["false"])


def test_a_command_can_be_signalled_and_ends_with_its_starter(lab):
    machine = lab.machine("alpha")
    script = "trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.1; done"
    process = machine.popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    machine.signal(process, signal.SIGINT)
    assert process.communicate()[0] == "interrupted\n"
    assert process.returncode == 3

    process = machine.popen(["sh", "-c", "echo ready; exec sleep 1003"], stdout=subprocess.PIPE)
    process.stdout.readline()
    inner = machine.entered(process)
    process.kill()
    process.communicate()
    await_end(inner)
    assert "sleep 1003" not in machine.output("ps", "axo", "args")


def test_unknown_machines_are_named(lab):
    with pytest.raises(LabError, match="No machine is called delta here; there are: master, alpha, beta, gamma"):
        lab.machine("delta")


@pytest.mark.parametrize("firewall", ["iptables", "iptables-legacy", "none"])
def test_other_firewalls(firewall):
    with Lab(minions=("one", "two"), salt=None, firewall={"two": firewall}) as lab:
        machine = lab.machine("two")
        serve(machine, PORT)
        assert hears(lab.machine("one"), machine.ip, PORT) == (firewall == "none")
