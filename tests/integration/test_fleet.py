"""The real fleet does what the fleet in memory does: the same tests, run on a master with minions."""

from tests.conftest import CHECKOUT

SUITE = CHECKOUT / "tests/support/real_fleet.py"
CONFIG = [f"--rootdir={CHECKOUT}", f"--config-file={CHECKOUT}/setup.cfg"]
OPTIONS = ["-q", "--noconftest", "-p", "no:cacheprovider", *CONFIG]


def test_the_real_fleet_conforms(lab):
    done = lab.master.run(["python", "-B", "-m", "pytest", *OPTIONS, SUITE], check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
