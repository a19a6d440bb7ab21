"""The lab itself: what other tests take for granted about its machines."""

def refuses(machine, address, port):
    """Whether nothing comes back when `machine` knocks at this port."""
    done = machine.run(["socat", "-u", "OPEN:/dev/null", f"TCP:{address}:{port},connect-timeout=0.5"], check=False)
    return done.returncode != 0


def test_all_minions_answer(lab):
    assert lab.run_module("*", "test.ping").data == {"alpha": True, "beta": True, "gamma": True}


def test_systemd_is_the_init_of_a_machine(lab):
    machine = lab.machine("alpha")
    assert machine.output("cat", "/proc/1/comm") == "systemd"
    assert machine.output("systemctl", "show", "--value", "-p", "ActiveState", "lab.target") == "active"


def test_a_machine_has_a_name_of_its_own(lab):
    assert lab.machine("beta").output("hostname") == "beta"
