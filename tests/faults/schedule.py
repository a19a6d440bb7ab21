"""What happens in a round: drawn from a seed, so that any round can be played again."""

import random
from dataclasses import dataclass

ENDS = ("source", "destination")
PHASES = ("prepared", "armed", "connecting", "proved", "moving", "verifying", "sealed", "publishing")
MOVING = "moving"
MOST_FAULTS = 3


@dataclass(frozen=True)
class Kind:
    """A fault, whom it hits, and how often it comes beside the others."""

    name: str
    ends: tuple[str, ...]
    weight: int = 1

    @property
    def cancels(self):
        """Whether nothing may be kept of what has arrived."""
        return self.name == "cancel"


KINDS = (
    Kind("kill", ("source",), weight=4),
    Kind("kill", ("destination",), weight=4),
    Kind("kill", ENDS, weight=2),
    Kind("power cut", ("source",), weight=2),
    Kind("power cut", ("destination",), weight=2),
    Kind("power cut", ENDS, weight=2),
    Kind("stop", ("source",)),
    Kind("stop", ("destination",)),
    Kind("stop for a moment", ("source",)),
    Kind("stop for a moment", ("destination",)),
    Kind("cut for a moment", ENDS, weight=2),
    Kind("cut", ENDS, weight=2),
    Kind("reset", ENDS, weight=2),
    Kind("cancel", ("source",)),
    Kind("cancel", ("destination",)),
)
BETWEEN = ("nothing", "nothing", "a byte is flipped in staging", "a source file is replaced", "a source file grows")


@dataclass(frozen=True)
class Fault:
    """A fault and when it strikes: in which phase, and in `moving` how far (0 to 1) it shall be.

    `after` is what happens before the next attempt.
    """

    kind: Kind
    phase: str
    share: float
    after: str

    @property
    def clock(self):
        """The end whose phase is meant, whichever is hit: the destination, which never is connecting."""
        return "source" if self.phase == "connecting" else "destination"


@dataclass(frozen=True)
class Round:
    """One transfer with the faults of its attempts; then an attempt without any must bring everything."""

    number: int
    seed: int
    tree: int
    encrypt: bool
    streams: int
    verify: str
    faults: tuple[Fault, ...]


def draw(seed: int, number: int) -> Round:
    dice = random.Random(f"{seed}/{number}")
    return Round(
        number=number,
        seed=seed,
        tree=dice.randrange(1 << 30),
        encrypt=dice.random() < 0.7,
        streams=dice.choice((1, 1, 2, 3)),
        verify=dice.choice(("readback", "readback", "flight")),
        faults=tuple(_fault(dice) for _ in range(dice.choice((1, 1, 1, 2, 2, MOST_FAULTS)))),
    )


def _fault(dice: random.Random) -> Fault:
    (kind,) = dice.choices(KINDS, [each.weight for each in KINDS])
    phase = MOVING if dice.random() < 0.6 else dice.choice(PHASES)
    return Fault(kind, phase, dice.random(), dice.choice(BETWEEN))
