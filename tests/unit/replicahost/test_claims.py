"""One alone works at a backup."""

import pytest

from replicahost import claims
from replicaplan.errors import ReplicaRefused


def test_what_somebody_works_at_nobody_else_gets(tmp_path):
    refused = pytest.raises(ReplicaRefused, match="is just being prepared, installed or removed")
    with claims.claimed(tmp_path), refused, claims.claimed(tmp_path):
        pass
    with claims.claimed(tmp_path):
        pass


def test_it_goes_with_the_directory_to_another_name(tmp_path):
    (tmp_path / "one").mkdir()
    with claims.claimed(tmp_path / "one"):
        (tmp_path / "one").rename(tmp_path / "other")
        with pytest.raises(ReplicaRefused), claims.claimed(tmp_path / "other"):
            pass
