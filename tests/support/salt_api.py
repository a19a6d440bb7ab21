"""salt-api on the lab's master for the length of a `with`: with users, and with the live page."""

import contextlib
import json
import urllib.error
import urllib.request
from pathlib import Path

import yaml
from lab.salt import CHECKOUT, CONFIG_DIRECTORY

from tests.support.waiting import eventually

UNIT = "salt-api.service"
CONFIG = f"{CONFIG_DIRECTORY}/master.d/api.conf"
SECRETS = f"{CONFIG_DIRECTORY}/users"
PORT = 8000
PATIENCE = 180
READ_ONLY = [{"@runner": ["transfer.overview"]}]


def config(users, **more):
    """What a master's configuration says for the live page: who may sign in, and what is served."""
    return {
        "external_auth": {"file": {"^filename": SECRETS, **dict.fromkeys(users, READ_ONLY)}},
        "netapi_enable_clients": ["runner"],
        "rest_cherrypy": {
            "port": PORT,
            "disable_ssl": True,
            "app": f"{CHECKOUT}/live/index.html",
            "static": f"{CHECKOUT}/live",
        },
        **more,
    }


@contextlib.contextmanager
def salt_api(lab, users, **more):
    """Its address; every user's password is their name backwards."""
    master = lab.master
    secrets = "".join(f"{name}:{name[::-1]}\n" for name in users)
    write(master, SECRETS, secrets)
    write(master, CONFIG, yaml.safe_dump(config(users, **more)))
    try:
        restart_master(lab)
        start(master)
        yield f"http://{master.ip}:{PORT}"
    finally:
        master.run(["systemctl", "stop", UNIT], check=False)
        master.run(["rm", "-f", CONFIG, SECRETS])
        master.run(["rmdir", "--ignore-fail-on-non-empty", str(Path(CONFIG).parent)])
        restart_master(lab)


def write(machine, path, text):
    machine.run(["sh", "-c", f"mkdir -p $(dirname {path}) && umask 077 && cat >{path}"], input=text)


def restart_master(lab):
    """Return when the master runs anew and the minions answer it."""
    lab.master.run(["systemctl", "restart", "salt-master"])
    assert eventually(lambda: answering(lab) == set(lab.minions), PATIENCE), "the minions do not answer the new master"


def answering(lab):
    """Who answers at once: one that has not come back yet is asked again sooner than Salt gives it up."""
    argv = ["salt", f"--config-dir={CONFIG_DIRECTORY}", "--static", "--out=json", "--timeout=3", "*", "test.ping"]
    done = lab.master.run(argv, check=False, timeout=PATIENCE)
    with contextlib.suppress(ValueError):
        return {name for name, answer in json.loads(done.stdout).items() if answer is True}
    return set()


def start(master):
    program = master.output("sh", "-c", "command -v salt-api")
    master.run(["systemd-run", "--quiet", "--collect", f"--unit={UNIT}", program, f"--config-dir={CONFIG_DIRECTORY}"])
    assert eventually(lambda: answers(f"http://{master.ip}:{PORT}/app"), PATIENCE), "salt-api does not answer"


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=10) as response:
            return response.status == 200
    except OSError:
        return False


def post(address, body, token=None):
    """(status, what it returned) of one request to salt-api."""
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    headers |= {"X-Auth-Token": token} if token else {}
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, json.load(response)["return"][0]
    except urllib.error.HTTPError as error:
        return error.code, None


def token_of(address, user):
    _, told = post(f"{address}/login", {"username": user, "password": user[::-1], "eauth": "file"})
    return told["token"]
