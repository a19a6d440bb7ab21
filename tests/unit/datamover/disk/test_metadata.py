"""What an entry has besides its bytes, decided without a disk."""

import os
import pwd
import stat
from types import SimpleNamespace

import pytest

from datamover.disk import acl
from datamover.disk.metadata import (
    Difference,
    Identity,
    Owners,
    carried,
    differences,
    kind_name,
    kind_of,
    time_granularity,
)
from datamover.errors import ManifestInvalid
from datamover.manifest import Entry, Kind

NAMES, NUMBERS = Owners("names"), Owners("numbers")
FILE = Entry(1, 0, b"file", Kind.FILE, mode=0o644, uid=0, gid=0, size=10, mtime_ns=1_500_000_000_123_456_789)


def status(**changes):
    fields = {
        "st_mode": stat.S_IFREG | 0o644,
        "st_uid": 0,
        "st_gid": 0,
        "st_size": 10,
        "st_mtime_ns": FILE.mtime_ns,
        "st_rdev": 0,
    }
    return SimpleNamespace(**{**fields, **changes})


def test_names_map_to_the_ids_of_this_host_and_numbers_stay_where_a_name_is_unknown():
    root = pwd.getpwuid(0).pw_name
    assert NAMES.user(0) == root and NAMES.uid(root, 4242) == 0
    assert NAMES.uid("nobody-has-this-name", 4242) == 4242 and NAMES.uid("", 4242) == 4242
    assert NAMES.user(4_000_000_000) == "" and NAMES.group(4_000_000_000) == ""


def test_numbers_never_look_at_names():
    root = pwd.getpwuid(0).pw_name
    assert NUMBERS.user(0) == "" and NUMBERS.uid(root, 4242) == 4242


def test_another_policy_is_refused():
    with pytest.raises(ValueError, match="names or numbers, not 'guess'"):
        Owners("guess")


def test_what_is_equal_has_no_differences():
    assert differences(FILE, status(), (), b"", NUMBERS) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"st_mode": stat.S_IFREG | 0o600}, "mode"),
        ({"st_mode": stat.S_IFREG | 0o4644}, "mode"),
        ({"st_uid": 1}, "owner"),
        ({"st_gid": 1}, "group"),
        ({"st_size": 11}, "size"),
        ({"st_mtime_ns": FILE.mtime_ns + 1}, "mtime"),
        ({"st_mode": stat.S_IFLNK | 0o644}, "kind"),
    ],
)
def test_each_difference_is_named(changes, what):
    assert [name for name, _, _ in differences(FILE, status(**changes), (), b"", NUMBERS)] == [what]


def test_attributes_missing_changed_or_too_many_are_differences():
    wanted = Entry(1, 0, b"f", Kind.FILE, mode=0o644, size=10, mtime_ns=FILE.mtime_ns, xattrs=((b"user.a", b"1"),))
    for found in [(), ((b"user.a", b"2"),), ((b"user.a", b"1"), (b"user.b", b"1"))]:
        assert [each[0] for each in differences(wanted, status(), found, b"", NUMBERS)] == ["attributes"]


def test_a_coarse_file_system_may_round_times():
    assert differences(FILE, status(st_mtime_ns=1_500_000_000_000_000_000), (), b"", NUMBERS, 1_000_000_000) == []


def test_links_are_compared_by_target_and_not_by_mode():
    link = Entry(1, 0, b"l", Kind.SYMLINK, mode=0o777, target=b"there", mtime_ns=FILE.mtime_ns)
    found = status(st_mode=stat.S_IFLNK | 0o700)
    assert differences(link, found, (), b"there", NUMBERS) == []
    assert [each[0] for each in differences(link, found, (), b"elsewhere", NUMBERS)] == ["target"]


def test_a_difference_reads_as_a_sentence():
    assert str(Difference(b"a\nb", "mode", "0o644", "0o600")) == "a%0Ab: mode is 0o600, not 0o644"


def test_an_acl_that_is_none_is_the_senders_fault():
    wanted = Entry(1, 0, b"f", Kind.FILE, mode=0o644, size=10, xattrs=((acl.ACCESS, b"nonsense"),))
    with pytest.raises(ManifestInvalid, match="posix_acl_access of an entry is no ACL"):
        differences(wanted, status(), (), b"", NUMBERS)


def test_only_attributes_that_mean_something_elsewhere_are_carried():
    names = [
        b"user.x",
        b"trusted.x",
        b"security.capability",
        b"security.selinux",
        b"security.ima",
        acl.ACCESS,
        b"system.nfs4_acl",
    ]
    assert [name for name in names if carried(name)] == [b"user.x", b"trusted.x", b"security.capability", acl.ACCESS]


def test_a_file_is_young_for_two_seconds_after_any_change():
    identity = Identity(1, 2, 3, mtime_ns=1_000_000_000, ctime_ns=5_000_000_000)
    assert identity.young(6_999_999_999) and not identity.young(7_000_000_000)
    assert identity.young(4_000_000_000), "a time in the future proves nothing"


@pytest.mark.parametrize(
    ("got", "granularity"),
    [
        (1_234_567_891_123_456_789, 1),
        (1_234_567_891_123_456_700, 100),
        (1_234_567_891_123_456_000, 1_000),
        (1_234_567_891_000_000_000, 1_000_000_000),
        (1_234_567_890_000_000_000, 2_000_000_000),
    ],
)
def test_granularity_is_what_one_time_lost(got, granularity):
    assert time_granularity(1_234_567_891_123_456_789, got) == granularity


def test_a_socket_is_no_kind_of_entry():
    assert kind_of(stat.S_IFSOCK | 0o755) is None and kind_name(stat.S_IFSOCK) == "SOCKET"
    assert kind_of(os.stat("/").st_mode) is Kind.DIRECTORY
