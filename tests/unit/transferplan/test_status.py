"""What is taken for a status of a worker."""

import pytest

from tests.unit.transferplan.samples import status
from transferplan.errors import BadAnswer
from transferplan.request import DESTINATION, Member
from transferplan.status import PHASES, Status

BETA = Member("beta", DESTINATION)


@pytest.mark.parametrize("phase", PHASES)
def test_a_known_phase_is_taken(phase):
    assert Status.from_payload(status(BETA, phase), "beta").phase == phase


@pytest.mark.parametrize("phase", ["", "dancing", "moving\x1b[2J"])
def test_a_phase_that_nobody_knows_is_a_bad_answer_in_printable_words(phase):
    with pytest.raises(BadAnswer, match="is none of preparing, prepared") as refusal:
        Status.from_payload(status(BETA, phase), "beta")
    assert str(refusal.value).isprintable()
