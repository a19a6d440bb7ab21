"""Everything that facts can say against a transfer: one row for each, with the reason's name and its sentence.

Each row changes one thing in the facts of two fit hosts and expects exactly that reason.
"""

import pytest

from transferplan import errors, plan

from .samples import ALPHA, BETA, GIB, OTHER, TRANSFER, alpha, asked, beta, destination, interface, source

SPECIAL = {"setuid": ["/srv/data/su"], "fifos": ["/srv/data/p%0A1", "/srv/data/p2"]}


def refusals(request, answers):
    with pytest.raises(errors.Refused) as refused:
        plan.make(request, answers)
    return [(reason.name, reason.text) for reason in refused.value.reasons]


def against(answers, request=None):
    """The one reason against a transfer with these answers in place of those of two fit hosts."""
    ((name, text),) = refusals(request or asked(), {ALPHA: alpha(), BETA: beta(), **answers})
    assert text.isprintable()
    return name, text


HOSTS = [
    (
        "minion-silent",
        None,
        "alpha did not answer: is it a minion of this master, and is it up? Try: salt alpha test.ping",
    ),
    ("minion-silent", errors.MinionSilent("alpha is slow"), "alpha is slow"),
    ("statement-mismatch", errors.StatementMismatch("alpha signed another nonce"), "alpha signed another nonce"),
    (
        "no-such-place",
        {"error": {"code": 99, "name": "no-such-place", "retryable": False, "text": "odd", "evidence": {}}},
        "alpha: odd",
    ),
    ("bad-answer", {"error": "broken"}, "The error from alpha is not of the agreed form: it must be a mapping"),
    ("bad-answer", [1], "alpha answered with something else than a mapping"),
    (
        "version-mismatch",
        alpha(version="0.0.9"),
        "alpha has salt-transfer 0.0.9, this master 0.1.0: bring both to one version, "
        "for example with salt alpha saltutil.sync_all",
    ),
    (
        "version-mismatch",
        {"version": "9\x1b[2J", "shape": "of the future"},
        r"alpha has salt-transfer 9\x1b[2J, this master 0.1.0: bring both to one version, "
        "for example with salt alpha saltutil.sync_all",
    ),
    ("bad-answer", alpha(host="gamma"), "alpha answered in the name of 'gamma'"),
    ("bad-answer", alpha() | {"source": None}, "alpha answered without a word about alpha:/srv/data"),
    (
        "bad-answer",
        alpha(uid="root", interfaces=[interface("10.77.1.300")]),
        "What alpha told about itself is not of the agreed form: uid must be of type int; "
        "interfaces[0]: '10.77.1.300/24' does not appear to be an IPv4 or IPv6 interface",
    ),
    (
        "unfit-host",
        alpha(uid=1000),
        "alpha runs its salt-minion as user 1000: a transfer needs root to read everything and to keep owners",
    ),
    ("unfit-host", alpha(python="3.9.18"), "alpha runs Salt on Python 3.9.18: salt-transfer needs 3.10 or later"),
    (
        "policy-forbids",
        alpha(policy={"reasons": ["/srv is not to\x1b be read"]}),
        r"alpha forbids it: /srv is not to\x1b be read",
    ),
    ("minion-trouble", alpha(trouble=["/proc is not mounted"]), "alpha: /proc is not mounted"),
    (
        "bad-option",
        alpha(settings={"network": "no such thing"}),
        "network (from the minion's own configuration) must be a network such as 10.20.0.0/16, an address, "
        "or the name of an interface, not 'no such thing'",
    ),
]


@pytest.mark.parametrize("name, answer, text", HOSTS)
def test_a_minion_that_cannot_take_part(name, answer, text):
    assert against({ALPHA: answer}) == (name, text)


SOURCES = [
    ("source-missing", {"exists": False, "kind": None}, "alpha:/srv/data does not exist"),
    ("source-missing", {"kind": "fifo"}, "alpha:/srv/data is a FIFO: name a file or a directory"),
    (
        "source-missing",
        {"kind": "odd\n"},
        "alpha:/srv/data is neither a file nor a directory: name a file or a directory",
    ),
    ("source-missing", {"kind": "blockdev"}, "alpha:/srv/data is a block device: name a file or a directory"),
    (
        "source-missing",
        {"kind": "symlink", "real": "/data/one"},
        "alpha:/srv/data is a symbolic link: name what it points to, alpha:/data/one",
    ),
    ("source-unreadable", {"readable": False}, "alpha:/srv/data cannot be read"),
    (
        "source-unreadable",
        {"unreadable": [{"path": "/srv/data/a%0Ab", "why": "Input/output error"}], "counts": {"unreadable": 1}},
        r"alpha:/srv/data holds 1 entry that cannot be read: /srv/data/a\nb (Input/output error)",
    ),
    (
        "source-unreadable",
        {"unreadable": [{"path": "", "why": "Permission denied"}], "readable": False},
        "alpha:/srv/data holds 1 entry that cannot be read: alpha:/srv/data (Permission denied)",
    ),
    (
        "source-unreadable",
        {
            "unreadable": [{"path": f"/srv/data/{number}", "why": "no"} for number in range(20)],
            "counts": {"unreadable": 1200},
            "readable": False,
        },
        "alpha:/srv/data holds 1,200 entries that cannot be read: /srv/data/0 (no), /srv/data/1 (no), "
        "/srv/data/2 (no), /srv/data/3 (no), /srv/data/4 (no) and 1,195 more",
    ),
    (
        "special-entries",
        {"special": {"devices": ["/srv/data/dev/null"]}, "counts": {"devices": 1}},
        "alpha:/srv/data holds 1 device (/srv/data/dev/null): special=devices lets them travel, "
        "where the policies of both minions permit devices",
    ),
]


@pytest.mark.parametrize("name, changes, text", SOURCES)
def test_a_source_that_cannot_travel(name, changes, text):
    assert against({ALPHA: alpha(source(**changes))}) == (name, text)


def test_who_writes_a_pattern_as_for_a_shell_hears_of_include():
    answers = {ALPHA: alpha(source(real="/srv/*.log", exists=False, kind=None))}
    name, text = against(answers, asked(src="alpha:/srv/*.log", dst="beta:/srv/logs"))
    assert (name, text) == (
        "source-missing",
        "alpha:/srv/*.log does not exist, and patterns are not taken here: name the directory, and choose by include= "
        "what of it travels",
    )


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"kind": "file"}, "alpha:/srv/data is a file: include and exclude choose what of a directory travels"),
        (
            {"entries": 1},
            "alpha:/srv/data would be copied as an empty directory: include and exclude leave out all that is in it",
        ),
    ],
)
def test_patterns_that_choose_nothing(changes, text):
    answers = {ALPHA: alpha(source(**changes)), BETA: beta()}
    assert refusals(asked(include="a", exclude="b"), answers) == [("bad-option", text)]


def test_each_kind_of_special_entry_is_named_with_one_option_for_all():
    answers = {ALPHA: alpha(source(special=SPECIAL, counts={"setuid": 1, "fifos": 2})), BETA: beta()}
    assert refusals(asked(), answers) == [
        (
            "special-entries",
            "alpha:/srv/data holds 1 entry with setuid or setgid (/srv/data/su): special=setuid,fifos lets them travel",
        ),
        (
            "special-entries",
            r"alpha:/srv/data holds 2 FIFOs (/srv/data/p\n1, /srv/data/p2): special=setuid,fifos lets them travel",
        ),
    ]
    plan.make(asked(special="fifos,setuid"), answers)


def test_what_is_allowed_already_stays_in_the_suggestion():
    name, text = against(
        {ALPHA: alpha(source(special=SPECIAL, counts={"setuid": 1, "fifos": 2}))}, asked(special="setuid,devices")
    )
    assert text.endswith("special=setuid,fifos,devices lets them travel")


DESTINATIONS = [
    (
        "destination-exists",
        {"exists": True, "kind": "directory", "empty": False},
        "beta:/srv/data is a directory that is not empty: dst=beta:/srv/data/ copies into it, "
        "update=True changes what differs, overwrite=True replaces it",
    ),
    (
        "destination-exists",
        {"exists": True, "kind": "file"},
        "beta:/srv/data is a file, the source is a directory: choose another name",
    ),
    (
        "destination-exists",
        {"exists": True, "kind": "symlink"},
        "beta:/srv/data is a symbolic link: remove it or choose another name",
    ),
    (
        "destination-exists",
        {"exists": True, "kind": "fifo"},
        "beta:/srv/data is a FIFO: remove it or choose another name",
    ),
    (
        "mount-point",
        {"exists": True, "kind": "directory", "empty": True, "is_mount": True},
        "beta:/srv/data is a mount point, which cannot be replaced: dst=beta:/srv/data/ copies into it",
    ),
    (
        "destination-parent",
        {"parent": "/srv/it's new", "parent_exists": False, "parent_writable": False},
        "beta:/srv/it's new is no directory that exists: choose another place, or create it first, for example with "
        """salt beta file.mkdir '/srv/it'"'"'s new'""",
    ),
    ("destination-unusable", {"read_only": True, "parent_writable": False}, "beta:/srv is on a read-only file system"),
    ("destination-unusable", {"parent_writable": False}, "beta:/srv cannot be written by the minion"),
    (
        "destination-unusable",
        {"rename_noreplace": False, "fs_type": "vfat"},
        "beta:/srv is on a file system (vfat) that cannot rename without replacing: choose a place on another one",
    ),
    (
        "place-locked",
        {"locked_by": OTHER},
        f"beta:/srv/data is held by transfer {OTHER}: wait for it, or end it with salt-run transfer.cancel {OTHER}",
    ),
    (
        "no-space",
        {"bytes_free": 11 * GIB},
        "beta:/srv has 11.0 GiB free; this transfer needs 10.0 GiB and a reserve of 2.0 GiB: "
        "free 1.0 GiB or choose another place",
    ),
    (
        "no-space",
        {"bytes_free": 13 * GIB, "reserved_bytes": 3 * GIB},
        "beta:/srv has 13.0 GiB free, 3.0 GiB of it promised to other transfers; this transfer needs 10.0 GiB and "
        "a reserve of 2.0 GiB: free 2.0 GiB or choose another place",
    ),
    (
        "no-space",
        {"inodes_free": 10_000},
        "beta:/srv has 10,000 inodes free; this transfer needs 1,007 and a reserve of 10,000: "
        "free 1,007 or choose another place",
    ),
    (
        "no-space",
        {"inodes_free": 12_000, "reserved_inodes": 2_000},
        "beta:/srv has 12,000 inodes free, 2,000 of it promised to other transfers; this transfer needs 1,007 and "
        "a reserve of 10,000: free 1,007 or choose another place",
    ),
]


@pytest.mark.parametrize("name, changes, text", DESTINATIONS)
def test_a_destination_that_cannot_take_it(name, changes, text):
    assert against({BETA: beta(destination(**changes))}) == (name, text)


FILES = [
    (False, {"kind": "file"}, "beta:/srv/data exists: update=True changes what differs, overwrite=True replaces it"),
    (True, {"kind": "file"}, ""),
    (
        False,
        {"kind": "directory", "empty": True},
        "beta:/srv/data is a directory: dst=beta:/srv/data/ copies the file into it",
    ),
    (True, {"kind": "directory"}, "beta:/srv/data is a directory: dst=beta:/srv/data/ copies the file into it"),
    (True, {"kind": "symlink"}, "beta:/srv/data is a symbolic link: remove it or choose another name"),
]


@pytest.mark.parametrize("overwrite, changes, text", FILES)
def test_a_file_onto_what_stands_there(overwrite, changes, text):
    answers = {ALPHA: alpha(source(kind="file")), BETA: beta(destination(exists=True, **changes))}
    if text:
        assert refusals(asked(overwrite=overwrite), answers) == [("destination-exists", text)]
    else:
        made = plan.make(asked(overwrite=overwrite), answers)
        assert "beta:/srv/data exists and will be replaced" in made.warnings


@pytest.mark.parametrize("overwrite, empty", [(False, True), (True, True), (True, False)])
def test_a_directory_onto_an_empty_one_or_by_request(overwrite, empty):
    found = destination(exists=True, kind="directory", empty=empty)
    plan.make(asked(overwrite=overwrite), {ALPHA: alpha(), BETA: beta(found)})


def test_a_lock_of_this_very_transfer_is_none():
    plan.make(asked(), {ALPHA: alpha(), BETA: beta(destination(locked_by=TRANSFER))})


def test_a_file_system_without_inodes_to_count_has_enough_of_them():
    plan.make(asked(), {ALPHA: alpha(), BETA: beta(destination(inodes_free=0, inodes_total=0))})


def test_an_estimate_says_at_least():
    found = source(estimated=True, disk_bytes=500 * GIB)
    name, text = against({ALPHA: alpha(found)})
    assert "this transfer needs at least 500.0 GiB and" in text


def test_the_place_without_room_is_the_nearest_that_exists():
    found = destination(parent="/srv/new", parent_exists=False, bytes_free=0)
    texts = dict(refusals(asked(), {ALPHA: alpha(), BETA: beta(found)}))
    assert texts["no-space"].startswith("beta:/srv has 0 B free;")


def test_a_link_can_make_two_places_one():
    answers = {
        ALPHA: alpha(),
        ("alpha", "destination"): alpha() | {"destination": destination(real="/srv/data/inner/data")},
    }
    assert refusals(asked(dst="alpha:/link/"), answers) == [
        (
            "places-overlap",
            "alpha:/srv/data/inner/data lies inside the source alpha:/srv/data: choose a place outside of it",
        )
    ]


def test_a_mount_can_lead_back_into_the_source():
    answers = {
        ALPHA: alpha(source(identity=[64, 7])),
        ("alpha", "destination"): alpha()
        | {"destination": destination(real="/mnt/x", above=[[64, 9], [64, 7], [64, 2]])},
    }
    assert refusals(asked(dst="alpha:/mnt/x"), answers) == [
        (
            "places-overlap",
            "alpha:/mnt/x lies inside the source alpha:/srv/data, by way of a mount: choose another",
        )
    ]


def test_equal_inodes_on_two_hosts_are_two_places():
    answers = {ALPHA: alpha(source(identity=[64, 7])), BETA: beta(destination(above=[[64, 7]]))}
    plan.make(asked(), answers)


JOINT = [
    (
        "no-digest",
        {BETA: beta(digests=["sha256"])},
        {"digest": "blake3"},
        "beta cannot compute blake3: leave out digest, or install what is missing there",
    ),
    (
        "no-digest",
        {ALPHA: alpha(digests=[]), BETA: beta(digests=[])},
        {},
        "alpha and beta cannot compute sha256: leave out digest, or install what is missing there",
    ),
    (
        "no-port",
        {BETA: beta(ports={"free": False, "trouble": ["mysqld has 4444"]})},
        {"port": 4444},
        "beta has nothing free among port 4444 (mysqld has 4444): choose others with port or ports",
    ),
    (
        "no-port",
        {BETA: beta(ports={"free": False})},
        {},
        "beta has nothing free among ports 4400-4499 (taken): choose others with port or ports",
    ),
    (
        "no-address",
        {ALPHA: alpha(interfaces=[interface("10.77.1.11")]), BETA: beta(interfaces=[interface("fd77::12", 64)])},
        {},
        "alpha and beta have no addresses over which they could talk: alpha has 10.77.1.11/24 on eth0; "
        "beta has fd77::12/64 on eth0",
    ),
    (
        "no-address",
        {BETA: beta(interfaces=[])},
        {},
        "alpha and beta have no addresses over which they could talk: alpha has 10.77.1.11/24 on eth0; beta has none",
    ),
    (
        "no-address",
        {},
        {"network": "192.168.0.0/16"},
        "beta has no interface and no address that is network=192.168.0.0/16: beta has 10.77.1.12/24 on eth0",
    ),
]


@pytest.mark.parametrize("name, answers, options, text", JOINT)
def test_two_hosts_that_do_not_fit_each_other(name, answers, options, text):
    assert against(answers, asked(**options)) == (name, text)


def firewall(**changes):
    return beta(firewall={"backend": "nft", "drops": True, "chains": [], "variant": "", "trouble": [], **changes})


FIREWALLS = [
    (
        "firewall-unknown",
        firewall(backend="none", drops=False, trouble=["nft: Operation not permitted"]),
        {},
        "beta's firewall could not be found out (nft: Operation not permitted): "
        "repair that, or open the port yourself and give firewall=none",
    ),
    (
        "firewall-unknown",
        firewall(backend="pf"),
        {},
        "beta's firewall could not be found out (it reports 'pf'): "
        "repair that, or open the port yourself and give firewall=none",
    ),
    (
        "firewall-unsupported",
        firewall(chains=[{"backend": "nft"}]),
        {"firewall": "iptables"},
        "beta's packets are decided by nft, not by iptables: leave out firewall=iptables",
    ),
    (
        "firewall-unsupported",
        firewall(backend="mixed", chains=[{"backend": "nft"}, {"backend": "iptables"}]),
        {"firewall": "nft"},
        "beta's packets are decided by nft and iptables, not by nft: leave out firewall=nft",
    ),
    (
        "policy-forbids",
        firewall(chains=[{"backend": "nft"}], forbidden=["An administrator forbade pinholes: never."]),
        {},
        "beta: An administrator forbade pinholes: never. "
        "(salt beta pinhole.lift permits it, firewall=none does without)",
    ),
]


@pytest.mark.parametrize("name, answer, options, text", FIREWALLS)
def test_a_firewall_that_cannot_be_opened(name, answer, options, text):
    assert against({BETA: answer}, asked(**options)) == (name, text)


def test_an_interface_that_is_not_there_is_named():
    _, text = against({}, asked(network="eth9"))
    assert text == "beta has no interface and no address that is network=eth9: beta has 10.77.1.12/24 on eth0"
    assert [name for name, _ in refusals(asked(network="eth9"), {BETA: beta()})] == ["minion-silent", "no-address"]


def test_a_forbidden_place_that_holds_no_bytes_at_all_is_not_called_full():
    nothing = destination(bytes_total=0, bytes_free=0, inodes_total=0, inodes_free=0)
    assert against({BETA: beta(nothing, policy={"reasons": ["/proc is never written"]})})[0] == "policy-forbids"
    assert against({BETA: beta(nothing)})[0] == "no-space"


def test_every_reason_of_both_hosts_comes_at_once_and_in_order():
    answers = {
        ALPHA: alpha(source(exists=False, kind=None), uid=7, policy={"reasons": ["never"]}, digests=["md5"]),
        BETA: beta(
            destination(exists=True, kind="file", bytes_free=0, read_only=True, locked_by=OTHER),
            interfaces=[],
            ports={"free": False},
            firewall={"backend": "pf", "drops": True},
        ),
    }
    assert [name for name, _ in refusals(asked(), answers)] == [
        "unfit-host",
        "policy-forbids",
        "source-missing",
        "destination-exists",
        "destination-unusable",
        "place-locked",
        "no-port",
        "firewall-unknown",
        "no-digest",
        "no-address",
    ]


def test_one_host_in_both_roles_is_told_its_reasons_once():
    both = alpha(uid=7) | {"destination": destination(real="/backup/data")}
    answers = {ALPHA: both, ("alpha", "destination"): both}
    assert [name for name, _ in refusals(asked(dst="alpha:/backup/"), answers)] == ["unfit-host"]


def test_what_one_host_tells_is_weighed_though_the_other_is_silent():
    answers = {ALPHA: None, BETA: beta(destination(read_only=True), ports={"free": False})}
    assert [name for name, _ in refusals(asked(), answers)] == ["minion-silent", "destination-unusable", "no-port"]
    answers = {ALPHA: alpha(source(real="/srv/*.log", exists=False, kind=None))}
    assert [name for name, _ in refusals(asked(), answers)] == ["minion-silent", "source-missing"]
