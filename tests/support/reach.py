"""Who can reach whom: a port that greets, and what another machine hears there."""

GREETER = """\
import socket
listener = socket.socket(fileno=3)
while True:
    with listener.accept()[0] as peer:
        peer.sendall(b"hello")
"""
PATIENCE = 2.5
"""Seconds: one lost packet is sent again after one."""


def serve(machine, port):
    """Greet whoever connects to this port of the machine, on IPv4 and IPv6; listening when this returns."""
    machine.run(
        ["systemd-run", "--quiet", "--collect", f"--unit=greeter-{port}", f"--socket-property=ListenStream={port}",
         "/usr/bin/python3", "-c", GREETER]
    )


def stop_serving(machine, port):
    """Undo `serve`."""
    machine.run(["systemctl", "stop", f"greeter-{port}.socket"])
    machine.run(["systemctl", "stop", f"greeter-{port}.service"], check=False)  # it never ran if nobody came


def hears(machine, address, port):
    """Whether `machine` is greeted at this address; False when its packets are dropped or refused."""
    target = f"TCP:[{address}]:{port}" if ":" in address else f"TCP:{address}:{port}"
    done = machine.run(["socat", "-u", f"{target},connect-timeout={PATIENCE}", "-"], check=False)
    return done.stdout == "hello"
