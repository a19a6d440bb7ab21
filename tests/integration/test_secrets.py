"""Nobody but its worker can read a key or a token: not while a transfer lasts, nor later, however it ends."""

import base64
import json
import secrets
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lab import Lab

from datamover.wire.messages import NO_TOKEN
from tests.support.copying import Copying, heal, jobs_on, plant_random, restart_minions, slowed, started, worker
from tests.support.runs import assert_ok, outcome
from tests.support.secrecy import Ears, Wiretap, key_of
from tests.support.waiting import eventually

SIZE = 16_000_000  # more than anything holds that is read ahead
RATE = "1mbit"
SMALL = "/srv/small"
HOSTS = {"source": "alpha", "destination": "beta"}
OK, FAILED, CANCELLED = (0, "ok"), (2, "failed"), (4, "cancelled")


@pytest.fixture
def ears(clean_lab):
    with Ears(clean_lab) as ears:
        yield ears


@pytest.fixture
def begin(clean_lab, alpha, beta, ears):
    """begin(**options) -> a copy of two files that begins; the link is so slow that it lasts until that is healed."""
    for name in ("first", "last"):
        plant_random(alpha, f"/srv/data/{name}", SIZE)
    beta.run(["mkdir", SMALL])
    beta.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", SMALL])
    ends = "alpha:/srv/data", f"beta:{SMALL}/"
    with slowed(beta, RATE):
        yield lambda **options: Copying(clean_lab, *ends, reserve="4MiB", stall_timeout="20s", **options)
    beta.run(["umount", SMALL], check=False)  # a boot has done so too


@dataclass(frozen=True)
class Middle:
    """A copy in the middle, and what its end can need."""

    lab: Lab
    copy: Copying
    run: Callable

    def machine(self, role):
        return self.lab.machine(HOSTS[role])

    def worker(self, role):
        """The process id of a worker."""
        return worker(self.machine(role), self.copy.transfer, role)[0]

    def keys(self):
        """The keys of both ends."""
        return [key_of(self.machine(role), self.worker(role)) for role in HOSTS]

    def finish(self):
        """How it ends when nothing is in its way any more."""
        heal(self.lab)
        return self.copy.finish()


# --- how it ends: each of these makes it end, and gives what the user was told ----------------------------------------


def succeeds(middle):
    return middle.finish()


def is_cancelled(middle):
    assert middle.run("cancel", transfer=middle.copy.transfer).returncode == 0
    return middle.copy.finish()


def a_worker_is_killed(role):
    def end(middle):
        middle.machine(role).run(["kill", "-KILL", middle.worker(role)])
        return middle.copy.finish()

    return end


def a_worker_stands_still(middle):
    middle.machine("destination").run(["kill", "-STOP", middle.worker("destination")])
    return middle.copy.finish()


def the_way_is_cut(middle):
    for link in middle.machine("destination").links:
        link.drop(port_of(middle))
    return middle.copy.finish()


def port_of(middle):
    answer = f"/var/lib/salt-transfer/runs/{middle.copy.transfer}-destination/attempts/1/answer.json"
    return json.loads(middle.machine("destination").output("cat", answer))["port"]


def the_power_is_cut(role):
    def end(middle):
        middle.lab.reboot(HOSTS[role])
        return middle.finish()

    return end


def the_runner_is_killed(middle):
    middle.lab.master.signal(middle.copy.process, signal.SIGKILL)
    middle.copy.process.communicate()
    heal(middle.lab)
    return middle.run("attach", transfer=middle.copy.transfer)


def the_master_is_restarted(middle):
    middle.lab.master.run(["systemctl", "restart", "salt-master"])
    done = middle.finish()
    # A job that wanted to return meanwhile keeps trying; that is Salt's process, not ours.
    assert eventually(lambda: not any(jobs_on(middle.machine(role)) for role in HOSTS))
    return done


def the_minions_are_killed(middle):
    restart_minions(middle.lab, map(middle.machine, HOSTS), killed=True)
    return middle.finish()


def the_disk_fills(middle):
    middle.machine("destination").run(["fallocate", "--length=30MiB", f"{SMALL}/of others"])
    return middle.finish()


def a_source_file_vanishes(middle):
    middle.machine("source").run(["rm", "/srv/data/last"])
    return middle.finish()


def a_source_file_never_stops_changing(middle):
    """While it is read, which the link makes last: on a busy machine who writes may get no turn for a moment."""
    forever = "echo begun; while :; do echo >>/srv/data/last; done"
    with middle.machine("source").popen(["sh", "-c", forever], stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()
        for link in middle.machine("destination").links:
            link.rate("40mbit")
        done = middle.copy.finish()
        writer.terminate()
    return done


def end(how, expected, name, slow=True):
    return pytest.param(how, expected, id=name, marks=pytest.mark.slow if slow else ())


ENDS = [
    end(succeeds, OK, "it succeeds"),
    end(is_cancelled, CANCELLED, "it is cancelled", slow=False),
    end(a_worker_is_killed("source"), FAILED, "the source is killed"),
    end(a_worker_is_killed("destination"), FAILED, "the destination is killed"),
    end(a_worker_stands_still, FAILED, "the destination stands still"),
    end(the_way_is_cut, FAILED, "the way is cut"),
    end(the_power_is_cut("source"), FAILED, "the source loses its power"),
    end(the_power_is_cut("destination"), FAILED, "the destination loses its power"),
    end(the_runner_is_killed, OK, "the runner is killed"),
    end(the_master_is_restarted, OK, "the master is restarted"),
    end(the_minions_are_killed, OK, "the minions are killed"),
    end(the_disk_fills, FAILED, "the disk fills"),
    end(a_source_file_vanishes, FAILED, "a source file vanishes"),
    end(a_source_file_never_stops_changing, FAILED, "a source file never stops changing"),
]


@pytest.mark.parametrize(("end", "expected"), ENDS)
def test_however_a_copy_ends_it_shows_neither_key_nor_token(clean_lab, begin, ears, run, beta, end, expected):
    """Without encryption, so that there is a token to be heard."""
    with Wiretap(beta.link()) as wire, begin(encrypt=False, keep_partial=0) as copy:
        middle = Middle(clean_lab, copy, run)
        copy.await_moving()
        token = wire.token()
        ears.learn(token, *middle.keys())
        done = end(middle)
    assert (outcome(done), token != NO_TOKEN) == (expected, True), done.stdout
    log = run("log", transfer=copy.transfer)
    assert ears.heard(told=done.stdout + done.stderr + log.stdout) == []


@pytest.mark.slow
def test_a_further_attempt_has_keys_of_its_own_and_shows_none_of_them(clean_lab, begin, ears, run):
    with begin() as copy:
        middle = Middle(clean_lab, copy, run)
        copy.await_moving()
        first = middle.keys()
        ears.learn(*first)
        failed = a_worker_is_killed("source")(middle)
        with started(clean_lab, "resume", transfer=copy.transfer) as finish:
            copy.await_event("phase", role="source", phase="moving", attempt=2)
            second = middle.keys()
            ears.learn(*second)
            heal(clean_lab)
            done = finish()
    assert outcome(failed) == FAILED
    assert_ok(done)
    assert len({*first, *second}) == 4
    assert ears.heard(told=failed.stdout + failed.stderr + done.stdout + done.stderr) == []


def test_a_refusal_shows_no_key(run, ears):
    refused = run(src="alpha:/srv/none", dst="beta:/srv/")
    assert outcome(refused) == (3, "refused")
    assert ears.heard(told=refused.stdout + refused.stderr) == []


# --- the check itself -------------------------------------------------------------------------------------------------


def test_a_secret_is_found_wherever_it_passes_by(clean_lab, ears, alpha, beta):
    secret = secrets.token_bytes(32)
    spelled = secret.hex()
    alpha.run(["true", spelled])
    beta.run(["env", f"SECRET={spelled}", "true"])
    beta.run(["logger", "--journald"], input=f"MESSAGE=a message\nDETAIL={spelled}\n")
    clean_lab.run_module("alpha", "test.arg", spelled)
    found = "\n".join(ears.heard(secret, told=f"<{spelled.upper()}>"))
    for place in (
        "the command's output",
        "the bus: salt/job/",
        "alpha: cmdline of process",
        "beta: environ of process",
        "beta: the journal",
        "master: /var/cache/salt/master/jobs/",
    ):
        assert place in found


PLACES = {
    "master": ("/var/log/salt/master", "/var/cache/salt/master/planted", "/run/salt/planted", "/root/planted"),
    "alpha": (
        "/core.4711",
        "/var/lib/systemd/coredump/planted",
        "/var/log/salt/minion",
        "/var/cache/salt/minion/planted",
        "/var/tmp/planted",
    ),
    "beta": (
        "/var/lib/salt-transfer/runs/planted",
        "/var/lib/salt-transfer/audit/planted",
        "/srv/.salt-transfer-planted",
        "/srv/small/planted",
        "/run/planted",
        "/dev/shm/planted",
        "/tmp/planted",
        "/etc/planted",
    ),
}


class Planted:
    """A secret in all these places, until it is removed."""

    def __init__(self, lab):
        self.secret = secrets.token_bytes(32)
        self._places = [(lab.machine(name), path) for name, paths in PLACES.items() for path in paths]
        self.named = sorted(f"{machine.name}: {path}" for machine, path in self._places)

    def __enter__(self):
        content = b"..." + self.secret + b"..."
        for machine, path in self._places:
            machine.run(["sh", "-c", 'mkdir -p "$(dirname $0)" && cat >>$0', path], input=content, text=False)
        return self

    def __exit__(self, *_):
        for machine, path in self._places:
            machine.run(["sh", "-c", "case $0 in */log/*) : >$0 ;; *) rm $0 ;; esac", path])


def test_a_secret_is_found_wherever_it_lies(clean_lab, begin, ears):
    with Planted(clean_lab) as planted:
        assert ears.heard(planted.secret) == planted.named


@pytest.mark.slow
def test_a_secret_is_found_that_lies_there_in_the_middle_only(clean_lab, begin, ears):
    with Planted(clean_lab) as planted:
        ears.learn(planted.secret)
    assert ears.heard() == planted.named


def test_a_private_key_that_nobody_knew_of_is_found_in_every_form(ears, beta):
    place = beta.disk("/var/lib/salt-transfer")
    forms = forms_of(ec.generate_private_key(ec.SECP256R1()))
    for name, content in forms.items():
        (place / name).write_bytes(b"before " + content + b" after")
    try:
        assert ears.heard() == sorted(f"beta: /var/lib/salt-transfer/{name}" for name in forms)
    finally:
        for name in forms:
            (place / name).unlink()


def forms_of(key):
    """A key as it could lie about."""
    encodings, forms, plain = serialization.Encoding, serialization.PrivateFormat, serialization.NoEncryption()
    der = key.private_bytes(encodings.DER, forms.PKCS8, plain)
    return {
        "pem": key.private_bytes(encodings.PEM, forms.PKCS8, plain),
        "old-pem": key.private_bytes(encodings.PEM, forms.TraditionalOpenSSL, plain),
        "der": der,
        "old-der": key.private_bytes(encodings.DER, forms.TraditionalOpenSSL, plain),
        "hex": der.hex().encode(),
        "base64": base64.b64encode(der),
    }
