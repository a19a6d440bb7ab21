"""Runs on the lab's master: says `subscribed`, then prints each event of the bus as one line of JSON."""
import json
import subprocess
import sys

import salt.config
import salt.utils.event

CONNECT_TIMEOUT = 20


def say(text):
    print(text, flush=True)


def main():
    """Follow the bus until killed."""
    opts = salt.config.master_config("/etc/salt/master")
    subprocess.run(["systemctl", "start", "salt-master.service"], check=True)  # returns once it is up
    with salt.utils.event.get_event("master", sock_dir=opts["sock_dir"], opts=opts, listen=True) as bus:
        if not bus.connect_pub(timeout=CONNECT_TIMEOUT):
            sys.exit("The master runs, but its event bus does not answer")
        say("subscribed")
        for event in bus.iter_events(full=True):
            say(json.dumps(event, default=repr))


main()
