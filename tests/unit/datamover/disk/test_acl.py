"""ACLs in their travelling form."""

import pytest

from datamover.disk import acl

KERNEL = bytes.fromhex(
    "02000000" "01000600ffffffff" "02000400e8030000" "04000400ffffffff" "08000700d0070000" "10000700ffffffff"
    "20000000ffffffff"
)  # fmt: skip
TEXT = b"owner:::rw-\nuser:1000:alice:r--\nowning-group:::r--\ngroup:2000:staff:rwx\nmask:::rwx\nother:::---"


class Owners:
    """Knows alice as 1000 and staff as 2000, or as what it is told."""

    def __init__(self, **ids):
        self.ids = {"alice": 1000, "staff": 2000, **ids}
        self.names = {number: name for name, number in self.ids.items()}

    def user(self, number):
        return self.names.get(number, "")

    def uid(self, name, number):
        return self.ids.get(name, number)

    group, gid = user, uid


def test_an_acl_travels_with_ids_and_names():
    assert acl.to_text(KERNEL, Owners()) == TEXT
    assert acl.from_text(TEXT, Owners()) == KERNEL


def test_names_decide_where_they_exist():
    there = acl.from_text(TEXT, Owners(alice=1234))
    assert acl.to_text(there, Owners(alice=1234)) == TEXT.replace(b"1000", b"1234")


def test_numbers_stay_where_names_do_not_exist():
    stranger = TEXT.replace(b"alice", b"nobody-here")
    assert acl.from_text(stranger, Owners()) == KERNEL


def test_entries_come_in_the_kernels_order_even_when_ids_change():
    text = TEXT.replace(b"user:1000:alice:r--", b"user:1000:alice:r--\nuser:1001::rw-")
    ids = [each.id for each in acl._unpack(acl.from_text(text, Owners(alice=5000))) if each.tag == "user"]
    assert ids == [1001, 5000]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"user:1000:alice", b"king:::rwx", b"owner:::rwz", b"owner:::rwxr", b"user:x:alice:rwx", b"owner:::xwr",
        b"owner:::rw-\n", b"\xff", b"user:-1:nobody-here:rwx", b"user:4294967296:nobody-here:rwx",
    ],
)  # fmt: skip
def test_what_is_no_acl_is_refused(text):
    with pytest.raises(ValueError):
        acl.from_text(text, Owners())


@pytest.mark.parametrize("value", [b"", b"\x01\0\0\0", KERNEL[:-1], KERNEL[:4] + b"\x03" + KERNEL[5:]])
def test_what_the_kernel_cannot_have_said_is_refused(value):
    with pytest.raises(ValueError):
        acl.to_text(value, Owners())
