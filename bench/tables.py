"""The figures of a record as tables, for a terminal and for a page. Pure."""

from .figures import GIB, MIB, is_wide
from .goals import NOT_MET
from .machine import BUSY

COST = ("CPU s/GiB", "theirs", "peak MiB", "theirs")
HEAD = ("ours", "against", "data", "MB/s", "theirs", "ratio", "rounds", "goal", *COST)
WORDS = 3
"""So many columns hold words; the others hold numbers."""


def by_group(results):
    """{group: its results}, in the order in which groups come first."""
    groups = {}
    for result in results:
        groups.setdefault(result["group"], []).append(result)
    return groups


def cells(result):
    """A row of the table."""
    ours, theirs = result["ours"], result["theirs"]
    return (
        ours["name"],
        theirs["name"],
        load(result),
        *(rate(side) for side in (ours, theirs)),
        f"{result['ratio']:.2f}",
        rounds(result),
        goal(result),
        *(f"{side['processor_per_gib']:.2f}" for side in (ours, theirs)),
        *(memory(side) for side in (ours, theirs)),
    )


def load(result):
    """What was moved, over what."""
    what = f"{result['data']}, {size(result['bytes'])}"
    if result["files"] > 1:
        what += f" in {result['files']:,}"
    return what if result["link"] == "unshaped" else f"{what}, {result['link']}"


def size(count):
    return f"{count / GIB:.3g} GiB" if count >= GIB else f"{count / MIB:.0f} MiB"


def rate(side):
    """MB/s, with files a second where there are many, and a mark where the runs lie far apart."""
    files = f", {side['files_per_s']:,} files/s" if side["files_per_s"] else ""
    mark = " ~" if is_wide(side) else ""
    number = side["mb_per_s"]
    return f"{number:,.0f}{files}{mark}" if number >= 20 else f"{number:.1f}{files}{mark}"


def rounds(result):
    """How many the medians are of, with a mark where others were at work beside them."""
    return f"{result['rounds']}{' !' if result.get('load', 0.0) > BUSY else ''}"


def memory(side):
    """MiB of source and destination; empty where it was not looked at."""
    ends = (side["memory_mib_source"], side["memory_mib_destination"])
    return " + ".join(f"{end:.0f}" for end in ends) if any(ends) else ""


def goal(result):
    return f"{result['goal'][0]:g} / {result['goal'][1]:g}: {result['verdict']}" if result["goal"] else ""


def notes(results):
    """Sentences below a table: what was left out, failed or concluded, and what the clock does not show."""
    left = [(without_figures(result), key) for key, result in results if "ratio" not in result]
    theirs = [result["theirs"] for _, result in results if "ratio" in result]
    apart = [(f"{side['apart']} are not in the clock", side["name"]) for side in theirs if "apart" in side]
    lines = [fixed_cost(result) for _, result in results if "line" in result]
    return [*said_once(left), *said_once(apart), *lines]


def said_once(pairs):
    """Sentences made of (what is said, of whom), each said once of all."""
    whom = {}
    for words, name in pairs:
        whom.setdefault(words, {})[name] = True
    return [f"{'; '.join(names)}: {words}." for words, names in whom.items()]


def fixed_cost(result):
    """What a whole command costs however little it moves, and what comes to it."""
    line = result["line"]
    goal = f"goal {line['goal']:g} s: {line['verdict']}"
    return f"{result['ours']['name']}: {line['fixed']} s ({goal}), and {line['per_gib']} s for each GiB."


def without_figures(result):
    if "guess" in result:
        bridge = result["bridge"]
        return (
            f"{result['left_out']}; concluded, not measured: {result['guess']:.2f} (goal {goal(result)}), by way of "
            f"{bridge['peer']}, than which it was {bridge['factor']:g} times as fast on another machine"
        )
    return f"failed: {result['failed']}" if "failed" in result else f"left out: {result['left_out']}"


def in_text(document):
    """Everything, for a terminal."""
    parts = []
    for group, results in grouped(document):
        rows = [cells(result) for _, result in results if "ratio" in result]
        parts += [group.upper(), *aligned([HEAD, *rows] if rows else []), *notes(results), ""]
    return "\n".join([*parts, score(document)])


def grouped(document):
    """(group, its (key, result) pairs) for each group."""
    pairs = [{"group": result["group"], "pair": (key, result)} for key, result in document["rows"].items()]
    return [(group, [each["pair"] for each in members]) for group, members in by_group(pairs).items()]


def aligned(rows):
    """Lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        words = (cell.ljust(width) for cell, width in zip(row[:WORDS], widths, strict=False))
        numbers = (cell.rjust(width) for cell, width in zip(row[WORDS:], widths[WORDS:], strict=True))
        yield "  ".join([*words, *numbers]).rstrip()


def in_markdown(rows):
    """A table of a page; `rows` are tuples of cells."""
    line = "|".join(["---"] * WORDS + ["--:"] * (len(HEAD) - WORDS))
    return "\n".join([f"| {' | '.join(HEAD)} |", f"|{line}|", *(f"| {' | '.join(row)} |" for row in rows)])


def score(document):
    """How many goals were met, and of how many nothing is known."""
    with_goal = [result for result in document["rows"].values() if result["goal"]]
    verdicts = [result["verdict"] for result in with_goal if "ratio" in result]
    met = sum(verdict != NOT_MET for verdict in verdicts)
    words = f"{met} of {len(verdicts)} goals that were measured are met."
    rest = len(with_goal) - len(verdicts)
    return f"{words} {rest} {'was' if rest == 1 else 'were'} not measured." if rest else words
