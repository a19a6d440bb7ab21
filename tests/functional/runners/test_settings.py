"""`transfer.settings`: what is in force, and which layer says so."""

from transferplan.options import COMMAND, MASTER, MINION

PROFILES = {"wan": {"streams": 8, "limit": "20MB/s"}}


def origins(told, *names):
    return {name: told[name]["from"] for name in names}


def test_every_layer_is_named_for_what_it_says(opts, run):
    opts["transfer"] = {"digest": "sha256", "profiles": PROFILES}
    answer = run("settings", profile="wan", lease="1m")
    assert (answer["result"], answer["hosts"]) == ("ok", {})
    assert origins(answer["settings"], "digest", "streams", "lease", "verify") == {
        "digest": MASTER,
        "streams": "the profile wan",
        "lease": COMMAND,
        "verify": "the default",
    }
    assert answer["settings"]["limit"] == {"value": "19.1 MiB/s", "from": "the profile wan"}


def test_what_is_said_beside_a_profile_wins_and_is_named(opts, run):
    opts["transfer"] = {"profiles": PROFILES}
    assert run("settings", profile="wan", streams=2)["settings"]["streams"] == {"value": "2", "from": COMMAND}


def test_minions_tell_what_is_in_force_on_them(opts, run):
    opts["transfer"] = {"nice": "low"}
    told = run("settings", minions="alpha,beta", ports="5000-5010")["hosts"]
    assert set(told) == {"alpha", "beta"}
    assert origins(told["beta"]["settings"], "limit", "nice", "ports", "keep_runs", "firewall") == {
        "limit": MINION,
        "nice": MASTER,
        "ports": COMMAND,
        "keep_runs": "the default",
        "firewall": "the default",
    }


def test_all_that_is_wrong_is_told_with_its_place(opts, run, minions, capsys):
    opts["fun"] = "transfer.settings"
    opts["transfer"] = {"lese": 1, "profiles": {"wan": {"streams": 99}}}
    answer = run("settings", minions="alpha", verfy=1, delete=True)
    assert (answer["result"], answer["retcode"]) == ("failed", 2)
    texts = " | ".join(reason["text"] for reason in answer["reasons"])
    assert "'lese' (from the master's" in texts and "streams (from the profile wan)" in texts
    assert "did you mean verify?" in texts and "delete=True is" in texts
    assert "did you mean verify?" in capsys.readouterr().err


def test_what_is_wrong_on_a_minion_is_told_in_its_name(run, minions):
    minions["alpha"].says["settings"] = {"settings": {}, "policy": None, "trouble": ["'x' is no option"]}
    assert "alpha: 'x' is no option" in [reason["text"] for reason in run("settings", minions="alpha")["reasons"]]
