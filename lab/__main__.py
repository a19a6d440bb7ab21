"""The lab as a command:  python -m lab run [--minions NAMES] [--salt VERSION] [--] [COMMAND...], link, reboot."""
import argparse
import os
import subprocess
import sys

from .errors import LabError
from .lab import MINIONS, Lab
from .salt import INSTALLS, NEWEST, VERSIONS

NO_SALT = "none"


def run(arguments):
    """Start a lab, run the command (else a shell) in it, return its status."""
    command = arguments.command or [os.environ.get("SHELL", "/bin/sh")]
    salt = None if arguments.salt == NO_SALT else arguments.salt
    with Lab(minions=arguments.minions, salt=salt, install=arguments.install) as lab:
        print(f"lab: {', '.join(lab.machines)} are up (Salt {arguments.salt})", file=sys.stderr)
        return subprocess.run(command, env=lab.environment()).returncode


def link(arguments):
    """Disturb or mend both links of a machine."""
    for one in Lab.running().machine(arguments.machine).links:
        getattr(one, arguments.action)(*arguments.value)
    return 0


def reboot(arguments):
    """Cut a machine's power and boot it again."""
    Lab.running().reboot(arguments.machine)
    return 0


def names(text):
    return tuple(filter(None, text.replace(",", " ").split()))


def parser():
    """The command line."""
    top = argparse.ArgumentParser(prog="lab", description=__doc__)
    verbs = top.add_subparsers(required=True, metavar="VERB")
    one = verbs.add_parser("run", help="start a lab and run a command in it")
    one.add_argument("--minions", type=names, default=MINIONS, metavar="NAMES", help="such as alpha,beta,gamma")
    one.add_argument("--salt", choices=(*VERSIONS, NO_SALT), default=NEWEST)
    one.add_argument("--install", choices=INSTALLS, default=INSTALLS[0])
    one.add_argument("command", nargs="*", metavar="COMMAND")
    one.set_defaults(act=run)
    one = verbs.add_parser("link", help="disturb a machine's link")
    one.add_argument("machine")
    one.add_argument("action", choices=("up", "down", "rate", "drop", "heal"))
    one.add_argument("value", nargs="*")
    one.set_defaults(act=link)
    one = verbs.add_parser("reboot", help="cut a machine's power and boot it again")
    one.add_argument("machine")
    one.set_defaults(act=reboot)
    return top


def main():
    """Run the command; trouble with the lab is one sentence."""
    arguments = parser().parse_args()
    try:
        return arguments.act(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 70
    except KeyboardInterrupt:
        return 130


sys.exit(main())
