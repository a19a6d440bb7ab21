"""The page docs/fanout.md and its picture, made of the figures of `./dev bench fanout` and of nothing else. Pure."""

from . import chain_model
from .machine import BUSY
from .page import BUSY_WORDS
from .plot import COLOURS, STYLE, rule, text

WAYS = {"chain": "#2a7f62", "star": "#b5483a", "serial": "#8a6d1d"}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 760, 420, 70, 60, 50, 150
PREDICTED = (1, 2, 4, 8, 10, 100, 1000)

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
- All hosts share {cores} cores here, so that the processor is part of what limits eight of them at once: *CPU* is the
  processor time of all processes together, a run of eight needs {busiest} seconds of it.

{machine}
{busy}
## Predicted

A small simulation (`bench/chain_model.py`) takes its constants from the measured copies to one and two destinations: a
start of {start:.2f} s, and {hop:.0f} ms for each further hop beside the piece of {piece} KiB on the wire.

{errors}

What that makes of {size} MiB and of 100 GiB at {rate} Mbit/s, in seconds, if nobody dies:

{predictions}

A tree of two branches, in which each host shares its link between two, is faster from {tree_small} destinations on with
{size} MiB, and {tree_large} with 100 GiB. The reasoning is in [decisions](decisions.md).
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


def page(document):
    about = document["about"]
    chain = chain_model.of_record(document)
    large = chain_model.replace(chain, size=100 << 30)
    host = about["machine"]
    return PAGE.format(
        size=about["bytes"] >> 20,
        rate=about["rate"],
        rounds=min(len(row["runs"]) for row in document["rows"].values()),
        table="\n".join(table(document)),
        cores=host["cores"],
        busiest=_busiest(document),
        machine=f"On {host['processor']}, {host['cores']} cores, Linux {host['kernel']}, Python {about['python']}; "
        f"load {about['load']} before; salt-transfer {about['version']}, {about['date']}.",
        busy=BUSY_WORDS if about["load"] > BUSY else "",
        start=chain.start,
        hop=chain.hop * 1000,
        piece=chain.piece >> 10,
        errors="\n".join(_errors(document, chain)),
        predictions="\n".join(_predictions(chain, large)),
        tree_small=chain_model.tree_wins_at(chain),
        tree_large=chain_model.tree_wins_at(large) or "not up to 10,000",
    )


def _busiest(document):
    chains = [row["runs"] for key, row in document["rows"].items() if key.startswith("chain")]
    return max(run["processor"] for runs in chains for run in runs)


def _errors(document, chain):
    yield "| N | predicted | measured | off by |"
    yield "|--:|--:|--:|--:|"
    for number, off in chain_model.errors(chain, document["medians"]).items():
        measured = document["medians"][f"chain {number}"]
        yield f"| {number} | {chain_model.seconds(chain, number):.2f} s | {measured:.2f} s | {off:+.1%} |"


def _predictions(small, large):
    yield "| N | chain | tree | star | serial | 100 GiB: chain | tree | star | serial |"
    yield "|--:|" + "--:|" * 8
    few, many = (chain_model.predictions(each, PREDICTED) for each in (small, large))
    for number in PREDICTED:
        cells = [f"{value:,.1f}" for value in few[number].values()]
        cells += [f"{value:,.0f}" for value in many[number].values()]
        yield f"| {number:,} | {' | '.join(cells)} |"


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
