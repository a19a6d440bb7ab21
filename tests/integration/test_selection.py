"""What of a directory travels, and whether it is still what was proved: asked on a real command line."""

import pytest

from tests.support.runs import assert_ok, names, plant_at

TREE = {
    "file": b"1",
    "a.log": b"2",
    "[odd]": b"3",
    "cache": {"x": b"4"},
    "conf": {"cache": b"5", "b.log": b"6", b"\xff.tmp": b"7"},
}


def test_patterns_are_taken_as_they_are_typed_and_the_rest_stays(run, alpha, beta):
    plant_at(alpha, "/srv/data", TREE)
    done = run(src="alpha:/srv/data", dst="beta:/srv/", exclude=r"!b.log,*.log,/cache/,\xff*")
    assert_ok(done)
    found = beta.run(["find", "/srv/data", "-printf", "%P\n"]).stdout.split()
    assert sorted(found) == ["[odd]", "conf", "conf/b.log", "conf/cache", "file"]
    assert done.data["receipt"]["excluded"] == 3
    assert "without  !b.log, *.log, /cache/" in done.stderr and "3 entries stay here" in done.stderr


def test_nothing_but_what_is_included_travels(run, alpha, beta):
    plant_at(alpha, "/srv/data", TREE)
    planned = run("plan", src="alpha:/srv/data", dst="beta:/srv/", include="/conf/")
    assert (planned.data["plan"]["files"], planned.data["plan"]["excluded"]) == (3, 4)
    assert_ok(run(src="alpha:/srv/data", dst="beta:/srv/", include="/conf/"))
    assert sorted(path.name for path in beta.disk("/srv/data").iterdir()) == ["conf"]


@pytest.mark.slow
def test_what_was_copied_is_verified_later_with_a_true_exit_status(clean_lab, run, data, beta):
    copied = run(src="alpha:/srv/data", dst="beta:/srv/", digest="sha256")
    assert_ok(copied)
    transfer = copied.data["transfer"]
    verified = clean_lab.run_runner("transfer.verify", transfer)
    assert (verified.returncode, verified.data["result"]) == (0, "ok")
    assert verified.data["ends"][0]["root"] == verified.data["source_root"] == copied.data["receipt"]["root"]
    beta.run(["touch", "/srv/data/new"])
    differs = clean_lab.run_runner("transfer.verify", transfer)
    assert (differs.returncode, names(differs)) == (2, {"copy-differs"})
    assert clean_lab.run_module("beta", "checksum.verify", transfer).data["beta"]["counts"]["extra"] == 1
