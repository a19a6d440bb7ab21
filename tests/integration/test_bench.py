"""The part of the bench that needs a whole Salt."""

import pytest
from bench import with_salt

pytestmark = pytest.mark.root


@pytest.mark.slow
def test_whole_commands_are_measured_beside_salts_own():
    row = with_salt.measure(4 << 20, 1)
    assert "ratio" in row, row
    assert row["ours"]["processor_per_gib"] > 0 and row["theirs"]["processor_per_gib"] > 0
    assert row["line"]["fixed"] != 0
