"""The page docs/fanout.md and its picture, made of the figures of `./dev bench fanout` and of nothing else. Pure."""

from . import chain_model, goals
from .machine import BUSY
from .page import BUSY_WORDS
from .plot import COLOURS, STYLE, rule, text

WAYS = {"chain": "#2a7f62", "star": "#b5483a", "serial": "#8a6d1d"}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 760, 420, 70, 60, 50, 150
PREDICTED = (1, 2, 4, 8, 10, 100, 1000)
MANY = (8, 100, 1000)
PIECES = (64 << 10, chain_model.PIECE, 4 << 20)
DEATHS = {"never": 0.0, "once a year": 1 / 8766, "once a month": 1 / 730, "once a day": 1 / 24}
"""Of one host in an hour."""
MOST, STRETCH = 1.15, 1.05
SENT = 1.1
EQUAL = 0.02

PAGE = """\
# One source, many destinations

Written by `./dev bench fanout --write-docs` from [fanout.json](fanout.json); not by hand.

![Time for N destinations as a multiple of the time for one](fanout.svg)

## Measured

One file of {size} MiB of incompressible data. Each host is a network namespace whose link to a switch is shaped to
{rate} Mbit/s in both directions; source and destinations are processes of the engine, and data lies in memory. The
clock runs from go to the last destination having everything flushed, read back, verified against the source's seal and
ready to be published. The ways alternate; medians of {rounds} rounds. Every copy was compared with the source, byte by
byte, after each run.

{table}

- **chain** is what `transfer.copy` does for several destinations. **serial** is one after the other. **star** sends to
  all at once from the source; it exists in this bench alone.
- *source sent* is what the counter of the source's link told, as a multiple of the data: frames, headers and
  acknowledgements included. *middle* and *last* are what the hosts received and sent, by the same counters.
- *overlap*: the last destination had its first piece, and the first destination its last one, after so many seconds.
- *What was hoped for* binds nothing; what is not met is shown like any other figure.
- All hosts share {cores} cores here, so that the processor is part of what limits eight of them at once: *CPU* is the
  processor time of all processes together, a run of eight needs {busiest} seconds of it.

| what was hoped for | measured | |
|---|---|---|
{hopes}

{machine}
{busy}{slower}
## Predicted

A small simulation (`bench/chain_model.py`) takes its constants from the measured copies to one and two destinations: a
start of {start:.2f} s, and {hop:.0f} ms for each further hop beside the piece of {piece} KiB on the wire. What the same
copies took of the processor says what {cores} cores need at least for all hosts, before which nothing can be over:
{cores_need}.

{errors}

What that makes of {size} MiB and of 100 GiB at {rate} Mbit/s, in seconds, if nobody dies and each host has cores of its
own:

{predictions}

A tree of two branches, in which each host shares its link between two, is faster from {tree_small} destinations on with
{size} MiB, and {tree_large} with 100 GiB.

**Pieces of another size.** What {size} MiB would take if a host passed on so much at a time; the last line is a host
that waits for the whole file. That is of the links alone: they say what there is to gain by smaller ones, and to
lose by greater ones. What smaller ones cost the processor, and why {piece} KiB it is, is in the [decisions][why].

{pieces}

**Deaths.** The same with hosts that die now and then, each as often as the line says. One that dies is given up, and
costs those behind it the {notice:.0f} seconds after which a host that says nothing any more is lost; where only its
process dies that is noticed at once.

{deaths}

The reasoning is in the [decisions][why].

[why]: decisions.md#a-chain-not-a-tree-a-star-multicast-or-a-swarm
"""

SLOWER = """
## The same over links of {rate} Mbit/s

Where links are slower the processor of this machine has time for all hosts; {size} MiB, medians of {rounds} rounds,
load {load} before a run at most, {date}.

{table}

| what was hoped for | measured | |
|---|---|---|
{hopes}

{errors}
"""


def table(document):
    """The rows of the table, as markdown."""
    one = document["medians"].get("one 1")
    yield "| way | N | seconds | of one copy | source sent | middle | last | overlap | CPU s |"
    yield "|---|--:|--:|--:|--:|---|---|---|--:|"
    for key, row in document["rows"].items():
        yield _line(key, row, document["medians"][key], one)


def _line(key, row, seconds, one):
    way, count = key.split()
    run = sorted(row["runs"], key=lambda each: each["seconds"])[len(row["runs"]) // 2]
    of_one = f"{seconds / one:.2f}x" if one else ""
    middle = _passed(run, 1) if int(count) > 1 else ""
    overlap = f"{run['last_began']} / {run['first_ended']}" if way == "chain" else ""
    cells = [way, count, f"{seconds:.2f}", of_one, f"{run['sent'][0]:.2f}x", middle, _passed(run, -1), overlap]
    return f"| {' | '.join([*cells, format(run['processor'], '.1f')])} |"


def _passed(run, at):
    return f"in {run['received'][at]:.2f}x, out {run['sent'][at]:.2f}x"


def page(document, slower=()):
    """Of a record, and of `slower` ones over links that carry less."""
    about = document["about"]
    chain = chain_model.of_record(document)
    large = chain_model.replace(chain, size=100 << 30)
    host = about["machine"]
    return PAGE.format(
        size=about["bytes"] >> 20,
        rate=about["rate"],
        rounds=_rounds(document),
        table="\n".join(table(document)),
        slower="".join(map(_slower, slower)),
        cores=host["cores"],
        busiest=_busiest(document),
        machine=f"On {host['processor']}, {host['cores']} cores, Linux {host['kernel']}, Python {about['python']}; "
        f"load {worst_load(document)} before a run at most; salt-transfer {about['version']}, {about['date']}.",
        busy=BUSY_WORDS if worst_load(document) > BUSY else "",
        start=chain.start,
        hop=chain.hop * 1000,
        piece=chain.piece >> 10,
        hopes=_hopes(document),
        cores_need=_cores_need(document),
        errors="\n".join(_errors(document)),
        predictions="\n".join(_predictions(chain, large)),
        tree_small=chain_model.tree_wins_at(chain),
        tree_large=chain_model.tree_wins_at(large) or "not up to 10,000",
        pieces="\n".join(_pieces(chain)),
        notice=chain.notice,
        deaths="\n".join(_deaths(chain, large)),
    )


def _slower(document):
    about = document["about"]
    return SLOWER.format(
        rate=about["rate"],
        size=about["bytes"] >> 20,
        rounds=_rounds(document),
        load=worst_load(document),
        date=about["date"],
        table="\n".join(table(document)),
        hopes=_hopes(document),
        errors="\n".join(_errors(document)),
    )


def _rounds(document):
    least, *_, most = sorted(len(row["runs"]) for row in document["rows"].values())
    return str(most) if least == most else f"{least} to {most}"


def _hopes(document):
    return "\n".join(f"| {' | '.join(each)} |" for each in hopes(document))


# --- what was hoped for ----------------------------------------------------------------------------------------------


def hopes(document):
    """(what was hoped for, what was measured, whether that was reached) each; only of what was measured."""
    runs = {int(key.split()[1]): row["runs"] for key, row in document["rows"].items() if key.startswith("chain ")}
    yield from _of_time(document["medians"])
    yield _of_source([run for each in runs.values() for run in each])
    if relays := [run for number, each in runs.items() if number > 1 for run in each]:
        yield _of_relays(relays)
        yield _of_overlap(relays)
    yield from _of_model(document)


def _of_time(medians):
    if "chain 8" in medians:
        ratio = medians["chain 8"] / medians["one 1"]
        word = goals.judged(1 / ratio, (1 / MOST, 1 / STRETCH))
        yield f"8 destinations take at most {MOST}x the time of one, stretch {STRETCH}x", f"{ratio:.2f}x", word


def _of_source(runs):
    least, most = (choose(run["sent"][0] for run in runs) for choose in (min, max))
    words = f"{least:.2f}x to {most:.2f}x"
    return f"the source sends 1.0x to {SENT}x of the data", words, _word(least >= 1.0 and most <= SENT)


def _of_relays(runs):
    middle = slice(1, -1)
    passed = [zip(run["received"][middle], run["sent"][middle], strict=True) for run in runs]
    off = max(abs(out / came - 1) for each in passed for came, out in each)
    return "each host in the middle sends what it received", f"within {off:.1%}", _word(off <= EQUAL)


def _of_overlap(runs):
    overlapped = sum(run["last_began"] < run["first_ended"] for run in runs)
    text = "the last destination has its first piece before the first one has its last"
    return text, f"in {overlapped} of {len(runs)} runs", _word(overlapped == len(runs))


def _of_model(document):
    if beyond := [share for number, share in chain_model.errors(document).items() if number > 2]:
        worst = max(map(abs, beyond))
        text = f"the model is off by at most {chain_model.NEAR:.0%} beyond two destinations"
        yield text, f"{worst:.1%}", _word(worst <= chain_model.NEAR)


def _word(is_met):
    return goals.MET if is_met else goals.NOT_MET


# --- the tables ------------------------------------------------------------------------------------------------------


def worst_load(document):
    """How many processors others kept at work before any of the runs, at most."""
    runs = (run.get("load", 0.0) for row in document["rows"].values() for run in row["runs"])
    return max((document["about"]["load"], *runs))


def _busiest(document):
    chains = [row["runs"] for key, row in document["rows"].items() if key.startswith("chain")]
    return max(run["processor"] for runs in chains for run in runs)


def _errors(document):
    yield "| N | predicted | measured | off by |"
    yield "|--:|--:|--:|--:|"
    for number, (predicted, measured, off) in chain_model.compared(document).items():
        yield f"| {number} | {predicted:.2f} s | {measured:.2f} s | {off:+.1%} |"


def _cores_need(document):
    shared = chain_model.shared_of(document)
    return ", ".join(f"{shared.seconds(number):.2f} s for {number}" for number in chain_model.compared(document))


def _predictions(small, large):
    yield "| N | chain | tree | star | serial | 100 GiB: chain | tree | star | serial |"
    yield "|--:|" + "--:|" * 8
    few, many = (chain_model.predictions(each, PREDICTED) for each in (small, large))
    for number in PREDICTED:
        cells = [f"{value:,.1f}" for value in few[number].values()]
        cells += [f"{value:,.0f}" for value in many[number].values()]
        yield f"| {number:,} | {' | '.join(cells)} |"


def _pieces(chain):
    yield f"| piece | {' | '.join(f'{number:,} destinations' for number in MANY)} |"
    yield "|--:|" + "--:|" * len(MANY)
    for piece in (*PIECES, chain.size):
        told = (chain_model.steady(chain_model.replace(chain, piece=piece), number) for number in MANY)
        size = f"{piece >> 10:,} KiB" if piece < 1 << 20 else f"{piece >> 20:,} MiB"
        yield f"| {size} | {' | '.join(f'{seconds:,.1f} s' for seconds in told)} |"


def _deaths(small, large):
    sizes = [f"{name}: {number:,}" for name in (f"{small.size >> 20} MiB", "100 GiB") for number in MANY]
    yield f"| a host dies | {' | '.join(sizes)} |"
    yield "|---|" + "--:|" * len(sizes)
    for words, failures in DEATHS.items():
        chains = [chain_model.replace(each, failures=failures) for each in (small, large)]
        told = (chain_model.with_failures(each, number) for each in chains for number in MANY)
        yield f"| {words} | {' | '.join(f'{seconds:,.1f} s' for seconds in told)} |"


# --- the picture -----------------------------------------------------------------------------------------------------


def picture(document):
    """Time against the number of destinations, as a multiple of the time for one; points measured, lines predicted."""
    ratios = _ratios(document)
    most_hosts = max(number for points in ratios.values() for number, _ in points)
    highest = max(ratio for points in ratios.values() for _, ratio in points)
    scale = _Scale(most_hosts, highest)
    parts = [part for way, points in ratios.items() for part in _curve(scale, way, points)]
    return "\n".join([*_frame(scale), *parts, "</svg>", ""])


def _ratios(document):
    one = document["medians"]["one 1"]
    found = {way: [(1, 1.0)] for way in WAYS}
    for key, value in document["medians"].items():
        way, count = key.split()
        if way in found:
            found[way].append((int(count), value / one))
    return {way: sorted(points) for way, points in found.items()}


class _Scale:
    def __init__(self, hosts, highest):
        self.hosts, self.highest = hosts, highest

    def x(self, hosts):
        return LEFT + (hosts - 1) / max(1, self.hosts - 1) * (WIDTH - LEFT - RIGHT)

    def y(self, ratio):
        return HEIGHT - BOTTOM - ratio / self.highest * (HEIGHT - TOP - BOTTOM)


def _frame(scale):
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" style="{STYLE}" role="img">'
    yield "<title>Time for N destinations as a multiple of the time for one</title>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    yield text(20, 24, "Time for N destinations, as a multiple of the time for one", weight="bold")
    for hosts in range(1, scale.hosts + 1):
        yield rule(scale.x(hosts), TOP, HEIGHT - BOTTOM, COLOURS["grid"], 1)
        yield text(scale.x(hosts), HEIGHT - BOTTOM + 18, str(hosts), "middle")
    for ratio in range(int(scale.highest) + 1):
        yield text(LEFT - 10, scale.y(ratio) + 4, f"{ratio}x", "end")
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "destinations", "middle")


def _curve(scale, way, points):
    line = " ".join(f"{scale.x(hosts):.1f},{scale.y(ratio):.1f}" for hosts, ratio in points)
    yield f'<polyline points="{line}" fill="none" stroke="{WAYS[way]}" stroke-width="2"/>'
    for hosts, ratio in points:
        yield f'<circle cx="{scale.x(hosts):.1f}" cy="{scale.y(ratio):.1f}" r="4" fill="{WAYS[way]}"/>'
    hosts, ratio = points[-1]
    yield text(scale.x(hosts) + 10, scale.y(ratio) + 4, f"{way} {ratio:.2f}x")
