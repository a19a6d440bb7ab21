"""Digest algorithms by name."""

import hashlib

import pytest

from datamover import digests


def test_sha256_is_always_there():
    assert "sha256" in digests.available()
    assert digests.new("sha256").digest() == hashlib.sha256().digest()


def test_each_algorithm_that_is_available_has_256_bits():
    for name in digests.available():
        hasher = digests.constructor(name)()
        hasher.update(memoryview(b"some bytes"))
        assert len(hasher.digest()) == 32


def test_an_unknown_algorithm_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match="'md5' is not available here; available: .*sha256"):
        digests.new("md5")
