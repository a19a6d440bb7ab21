"""What the kernel says, as sentences."""

import errno
import os

import pytest

from datamover import errors
from datamover.disk import trouble


def os_error(number):
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "kind", "advice"),
    [
        (errno.ENOSPC, errors.NoSpace, "make room"),
        (errno.EDQUOT, errors.NoSpace, "raise the quota"),
        (errno.EROFS, errors.DiskError, "read-only"),
        (errno.EIO, errors.DiskError, "kernel log"),
        (errno.EPERM, errors.DiskError, "root"),
        (errno.EMFILE, errors.DiskError, "limit of open files"),
        (errno.EUCLEAN, errors.DiskError, "kernel log"),
    ],
)
def test_a_disk_error_names_path_reason_and_what_to_do(number, kind, advice):
    error = trouble.disk_error(os_error(number), "write", b"dir/new\nline")
    assert type(error) is kind
    assert (
        "cannot write dir/new%0Aline" in error.text and errno.errorcode[number] in error.text and advice in error.text
    )
    assert error.as_dict()["evidence"] == {"path": "dir/new%0Aline", "errno": number}


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, errors.SourceVanished),
        (errno.ESTALE, errors.SourceVanished),
        (errno.ELOOP, errors.SourceChanged),
        (errno.ENOTDIR, errors.SourceChanged),
        (errno.EACCES, errors.SourceUnreadable),
        (errno.EIO, errors.SourceUnreadable),
    ],
)
def test_a_source_error_is_classed_by_what_happened(number, kind):
    error = trouble.source_error(os_error(number), "open", b"a/b")
    assert type(error) is kind and "a/b" in error.text


def test_other_exceptions_pass():
    with pytest.raises(KeyError), trouble.on_disk("write", b"x"):
        raise KeyError("x")


def test_numbers_are_told_when_the_reserve_is_reached():
    assert "has 5 bytes free; 10 more are needed and 3 stay in reserve" in trouble.no_space(b"/srv", 5, 3, 10).text
    assert "has 5 inodes free; 1 more are needed and 5 stay in reserve" in trouble.no_inodes(b"/srv", 5, 5, 1).text
