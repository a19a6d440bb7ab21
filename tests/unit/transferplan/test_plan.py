"""What the plan decides when nothing speaks against the transfer, and what it makes of the answers to it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from transferplan import display, errors, plan
from transferplan.compression import BEST_FIRST
from transferplan.request import Member
from transferplan.version import VERSION

from .samples import ALPHA, BETA, CHAIN, GIB, alpha, asked, beta, destination, interface, source

GOLDEN = Path(__file__).parents[2] / "golden"
PREPARED = {
    ALPHA: {"certificate": "PEM of alpha", "port": None, "addresses": {"10.77.1.12": "10.77.1.11"}},
    BETA: {"certificate": "PEM of beta", "port": 4403, "addresses": {}},
}


def made(request=None, **answers):
    return plan.make(request or asked(), {ALPHA: answers.get("alpha", alpha()), BETA: answers.get("beta", beta())})


def golden(name):
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


# Documents that leave the master.


def test_the_specs_have_the_released_form():
    released = golden("spec-1.json")
    request = asked("alpha:/srv/größe", "beta:/srv/", special="fifos", port=4444, lease="1m", reserve="1GiB")
    request = replace(request, asked_by={"user": "sudo_ann", "via": "salt-run"})
    answers = {"alpha": alpha(source(real="/srv/gr%C3%B6%C3%9Fe")), "beta": beta(destination(real=None))}
    specs = made(request, **answers).specs()
    assert {member.role: {**spec, "version": released["source"]["version"]} for member, spec in specs.items()} == {
        role: released[role] for role in ("source", "destination")
    }
    assert all(spec["version"] == VERSION for spec in specs.values())
    assert json.loads(json.dumps(specs[BETA])) == specs[BETA]


def test_the_roster_has_the_released_form():
    assert plan.roster(made(), PREPARED) == golden("roster-1.json")["roster"]


# The roster.


def test_the_source_is_expected_from_where_its_routes_begin():
    prepared = {
        **PREPARED,
        ALPHA: {"certificate": "A", "addresses": {"10.77.1.12": "10.77.1.99", "10.1.1.1": "10.1.1.2"}},
    }
    assert plan.roster(made(), prepared)["members"][0]["addresses"] == ["10.77.1.99"]


def test_without_a_word_about_routes_the_planned_address_stands():
    prepared = {**PREPARED, ALPHA: {"certificate": "A"}}
    assert plan.roster(made(), prepared)["members"][0]["addresses"] == ["10.77.1.11"]


@pytest.mark.parametrize(
    "answer, words",
    [
        ({"certificate": "B", "port": None}, "beta is prepared but told no port"),
        ({"certificate": "B", "port": 0}, "beta is prepared but told no port"),
        ({"port": 4400}, "The answer of beta to prepare is not of the agreed form: certificate is missing"),
        ({"certificate": "B", "port": "4400"}, "port must be of type int"),
        (
            {"certificate": "B", "port": 4400, "addresses": {"10.1.1.1": "nowhere"}},
            "'nowhere' does not appear to be an IPv4 or IPv6 address",
        ),
    ],
)
def test_a_broken_answer_to_prepare_is_told(answer, words):
    with pytest.raises(errors.BadAnswer) as bad:
        plan.roster(made(), {**PREPARED, BETA: answer})
    assert words in bad.value.text


# Decisions.


@pytest.mark.parametrize(
    "wanted, ours, theirs, digest",
    [
        ("auto", ["blake3", "sha256"], ["sha256", "blake3"], "blake3"),
        ("auto", ["sha256"], ["blake3", "sha256"], "sha256"),
        ("sha256", ["blake3", "sha256"], ["blake3", "sha256"], "sha256"),
    ],
)
def test_the_digest_is_the_best_that_both_have(wanted, ours, theirs, digest):
    assert made(asked(digest=wanted), alpha=alpha(digests=ours), beta=beta(digests=theirs)).digest == digest


@pytest.mark.parametrize(
    "facts, options, opening",
    [
        ({"backend": "nft", "drops": True, "chains": [CHAIN]}, {}, {"backend": "nft", "chains": [CHAIN]}),
        (
            {"backend": "nft", "drops": True, "chains": [CHAIN]},
            {"firewall": "nft"},
            {"backend": "nft", "chains": [CHAIN]},
        ),
        ({"backend": "mixed", "drops": True, "chains": [CHAIN]}, {}, {"backend": "mixed", "chains": [CHAIN]}),
        ({"backend": "firewalld", "drops": True, "chains": [CHAIN]}, {}, {"backend": "firewalld", "chains": [CHAIN]}),
        ({"backend": "nft", "drops": False, "chains": []}, {}, {"backend": "none", "chains": []}),
        ({"backend": "none", "drops": False}, {"firewall": "iptables"}, {"backend": "none", "chains": []}),
        ({"backend": "firewalld", "drops": True}, {"firewall": "none"}, {"backend": "none", "chains": []}),
        ({"backend": "", "drops": False, "trouble": ["?"]}, {"firewall": "none"}, {"backend": "none", "chains": []}),
    ],
)
def test_the_destinations_firewall_is_opened_where_it_drops(facts, options, opening):
    specs = made(asked(**options), beta=beta(firewall=facts)).specs()
    assert specs[BETA]["firewall"] == opening
    assert specs[ALPHA]["firewall"] == {"backend": "none", "chains": []}


def test_the_sources_firewall_need_not_be_understood():
    made(alpha=alpha(firewall={"backend": "firewalld", "drops": True, "trouble": ["?"]}))


def test_a_hosts_own_settings_decide_for_that_host():
    own = {"port": 5000, "ports": [5000, 5099], "reserve": "3GiB", "firewall": "none", "network": ""}
    spec = made(beta=beta(settings=own)).specs()[BETA]
    assert spec["listen"]["port"] == 5000
    assert spec["settings"]["reserve_bytes"] == 3 * GIB
    assert spec["firewall"]["backend"] == "none"


def test_the_command_line_decides_over_a_hosts_own_settings():
    assert made(asked(port=4444), beta=beta(settings={"port": 5000})).specs()[BETA]["listen"]["port"] == 4444


def test_places_are_the_real_ones_and_it_is_said():
    plan_made = made(alpha=alpha(source(real="/data/one")), beta=beta(destination(real="/mnt/srv/data")))
    specs = plan_made.specs()
    assert (specs[ALPHA]["path"], specs[BETA]["path"]) == ("/data/one", "/mnt/srv/data")
    assert plan_made.warnings == (
        "alpha:/srv/data is really alpha:/data/one",
        "beta:/srv/data is really beta:/mnt/srv/data",
    )


def test_both_ends_may_be_on_one_host():
    ends = Member("alpha", "source"), Member("alpha", "destination")
    both = alpha() | {"destination": destination(real="/backup/data")}
    plan_made = plan.make(asked(dst="alpha:/backup/"), dict.fromkeys(ends, both))
    specs = plan_made.specs()
    assert specs[ends[1]]["listen"]["addresses"] == ["127.0.0.1"]
    assert specs[ends[0]]["peers"] == [{"host": "alpha", "role": "destination", "addresses": ["127.0.0.1"]}]


# Warnings.

WARNINGS = [
    (
        alpha(source(estimated=True)),
        None,
        {},
        "alpha:/srv/data is too large to be measured at once: its figures are estimated",
    ),
    (alpha(source(disk_bytes=GIB)), None, {}, "alpha:/srv/data takes 1.0 GiB for 10.0 GiB: holes stay holes"),
    (alpha(source(counts={"sockets": 2})), None, {}, "alpha:/srv/data holds 2 sockets, which cannot be copied"),
    (
        alpha(source(mounts_below=["a%0A", "b/c"])),
        None,
        {},
        r"other file systems are mounted in alpha:/srv/data and will be left out, as empty directories: a\n, b/c",
    ),
    (
        alpha(source(newest_mtime_age=0.5)),
        None,
        {},
        "alpha:/srv/data changed 0.5 s ago: a file that changes while it is",
    ),
    (alpha(source(newest_mtime_age=-50.0)), None, {}, "alpha:/srv/data changed 0.0 s ago"),
    (None, None, {"encrypt": False}, "the data travels unencrypted from 10.77.1.11 to 10.77.1.12"),
    (
        alpha(interfaces=[interface("10.9.9.9")]),
        None,
        {},
        "10.9.9.9 and 10.77.1.12 share no subnet: the data is routed",
    ),
    (
        None,
        None,
        {"firewall": "none"},
        "beta's firewall drops what is not allowed and firewall=none opens nothing: the port must be open already",
    ),
    (
        alpha(firewall={"backend": "none", "drops": False, "outbound": [CHAIN]}),
        None,
        {},
        "alpha's firewall drops what no rule lets out (nft inet filter input): the way out must be allowed",
    ),
    (
        None,
        beta(destination(exists=True, kind="directory")),
        {"overwrite": True},
        "beta:/srv/data exists and will be replaced",
    ),
]


@pytest.mark.parametrize("source_side, destination_side, options, words", WARNINGS)
def test_what_should_be_known_is_a_warning(source_side, destination_side, options, words):
    plan_made = made(asked(**options), alpha=source_side or alpha(), beta=destination_side or beta())
    (warning,) = plan_made.warnings
    assert warning.startswith(words)
    assert f"    note  {warning}" in display.plan_lines(plan_made.summary())


def test_two_fit_hosts_give_no_cause_for_warnings():
    assert made().warnings == ()


# The summary.


def test_the_summary_is_json_and_says_what_was_set():
    summary = made(asked(lease="2m", special="fifos")).summary()
    assert json.loads(json.dumps(summary)) == summary
    assert summary["options"] == {"lease": 120, "special": ["fifos"]}
    assert (summary["bytes"], summary["digest"]) == (10 * GIB, "blake3")
    assert [hop["firewall"] for hop in summary["hops"]] == ["nft"]


def test_the_plan_shows_the_patterns_and_what_they_leave_out():
    request = asked(include="*.ibd", exclude="/tmp/,*.log")
    plan_made = made(request, alpha=alpha(source(excluded=12, estimated=True)))
    assert display.plan_lines(plan_made.summary())[:5] == [
        "    copy  alpha:/srv/data  (directory, at least 1,000 files, 10.0 GiB)",
        "    only  *.ibd",
        " without  /tmp/, *.log",
        "          at least 12 entries stay here, with all that is below",
        "      to  beta:/srv/data",
    ]
    assert {spec["settings"]["include"][0] for spec in plan_made.specs().values()} == {"*.ibd"}
    assert plan_made.specs()[ALPHA]["settings"]["exclude"] == ["/tmp/", "*.log"]


def test_a_limit_and_a_codec_of_ones_own_are_shown():
    lines = display.plan_lines(made(asked(limit="200MB/s", compress="zlib:9")).summary())
    assert "compress  zlib, asked for" in lines and "   limit  190.7 MiB/s" in lines
    lines = display.plan_lines(made(asked(compress="none")).summary())
    assert not [line for line in lines if "compress" in line or "limit" in line]


def test_the_lower_limit_of_both_hosts_holds_at_the_source():
    ends = {"alpha": alpha(settings={"limit": 300}), "beta": beta(settings={"limit": 20_000})}
    with pytest.raises(errors.Refused):
        made(asked(), **ends)
    ends["alpha"] = alpha(settings={"limit": 300_000})
    planned = made(asked(), **ends)
    assert planned.specs()[ALPHA]["settings"]["limit"] == planned.summary()["limit"] == 20_000
    assert made(asked(limit="1MB/s"), **ends).limit == 1_000_000, "the command line has the last word"


def test_each_host_is_as_nice_as_its_own_settings_say():
    specs = made(asked(), alpha=alpha(settings={"nice": "low"})).specs()
    assert [specs[member]["settings"]["nice"] for member in (ALPHA, BETA)] == ["low", "normal"]


@pytest.mark.parametrize(
    ("asked_for", "codecs", "codec", "why"),
    [
        ("auto", ["zstd", "zlib"], "zstd", "where it helps"),
        ("auto", ["zlib"], "zlib", "where it helps (beta without zstd)"),
        ("auto", ["zstd"], "zstd", "where it helps"),
        ("auto", [], "none", f"where it helps ({'; '.join(f'beta without {name}' for name in BEST_FIRST)})"),
        ("none", ["zstd"], "none", "not asked for"),
        ("zstd:3", ["zstd", "zlib"], "zstd", "asked for"),
    ],
)
def test_the_codec_is_one_that_both_have(asked_for, codecs, codec, why):
    told = made(asked(compress=asked_for), beta=beta(codecs=codecs)).summary()["compress"]
    assert told == {"asked": asked_for, "codec": codec, "why": why}


def test_a_digest_that_is_not_the_strongest_is_explained_unless_it_was_asked_for():
    def proof(wanted, **hosts):
        (line,) = [line for line in display.plan_lines(made(wanted, **hosts).summary()) if " proof" in line]
        return line.strip()

    without = beta(digests=["sha256"])
    assert proof(asked()) == "proof  blake3, readback"
    assert proof(asked(), beta=without) == "proof  sha256 (beta without blake3), readback"
    assert proof(asked(digest="sha256"), beta=without) == "proof  sha256, readback"


def test_a_codec_that_a_host_lacks_is_refused_in_words():
    with pytest.raises(errors.Refused) as refused:
        made(asked(compress="zstd"), beta=beta(codecs=["zlib"]))
    assert [reason.name for reason in refused.value.reasons] == ["no-codec"]
    assert "beta cannot compress with zstd" in refused.value.reasons[0].text


def test_the_plan_fits_on_a_screen():
    assert display.plan_lines(made(asked(port=4444, encrypt=False)).summary()) == [
        "    copy  alpha:/srv/data  (directory, 1,000 files, 10.0 GiB)",
        "      to  beta:/srv/data",
        "    room  40.0 GiB free there, 30.0 GiB free afterwards; 2.0 GiB of it stay free",
        "     way  10.77.1.11 to 10.77.1.12, port 4444, NOT encrypted",
        "firewall  nft inet filter input: opened for the source alone, for as long as it takes",
        "compress  zstd, where it helps",
        "   proof  blake3, readback",
        "    time  unknown: nothing was copied between them yet, and their links do not tell a speed",
        "    note  the data travels unencrypted from 10.77.1.11 to 10.77.1.12",
    ]
