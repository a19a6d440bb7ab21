"""A picture of the ratios as SVG: one bar for each row, on a logarithmic scale, with the goals as marks. Pure."""

import math
from html import escape

from .tables import by_group

WIDTH, LEFT, RIGHT = 960, 420, 70
LINE, BAR, TOP, GAP = 19, 12, 64, 30
LEAST, MOST = 0.25, 128
TICKS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)
COLOURS = {"ahead": "#2a7f62", "behind": "#b5483a", "goal": "#1f2430", "grid": "#d9dce3", "text": "#1f2430"}
STYLE = "font-family:system-ui,sans-serif;font-size:12px"


def picture(document):
    """The whole SVG document."""
    results = [result for result in document["rows"].values() if "ratio" in result]
    parts, y = [], TOP
    for group, members in by_group(results).items():
        parts.append(text(LEFT - 10, y + BAR, group, "end", weight="bold"))
        y += LINE
        for result in members:
            parts += bar(result, y)
            y += LINE
        y += GAP - LINE
    return "\n".join([*opening(y + LINE), *grid(y), *parts, "</svg>", ""])


def opening(height):
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" style="{STYLE}" role="img">'
    yield "<title>How many times faster salt-transfer is than each peer</title>"
    yield f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    yield text(20, 22, "How many times faster salt-transfer is; left of 1 it is slower", weight="bold")
    yield text(20, 40, "Marks: the goal (thick), and the one to dream of (thin). Logarithmic scale.")


def grid(bottom):
    for tick in TICKS:
        colour = COLOURS["goal"] if tick == 1 else COLOURS["grid"]
        yield rule(x_of(tick), TOP - 6, bottom, colour, 1)
        yield text(x_of(tick), TOP - 10, f"{tick:g}", "middle")


def bar(result, y):
    """The bar of one row with its name, its value and its goals."""
    value = result["ratio"]
    left, right = sorted((x_of(1), x_of(value)))
    colour = COLOURS["ahead" if value >= 1 else "behind"]
    yield text(LEFT - 10, y + BAR - 2, label(result), "end")
    yield f'<rect x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="{BAR}" fill="{colour}"/>'
    for mark, width in zip(result["goal"], (3, 1), strict=False):
        yield rule(x_of(mark), y - 2, y + BAR + 2, COLOURS["goal"], width)
    yield text(x_of(max([value, 1, *result["goal"]])) + 6, y + BAR - 2, f"{value:.2f}")


def label(result):
    special = result["ours"]["name"].removeprefix("salt-transfer").removeprefix(", ")
    where = "" if result["link"] == "unshaped" else f", {result['link']}"
    which = "" if result["data"] == "incompressible" else f", {result['data']}"
    return f"{result['theirs']['name']}{which}{where}" + (f" ({special})" if special else "")


def x_of(value):
    """Where a ratio stands."""
    share = math.log(min(max(value, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def rule(x, top, bottom, colour, width):
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="{colour}" stroke-width="{width}"/>'


def text(x, y, words, anchor="start", weight="normal"):
    place = f'x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {place} fill="{COLOURS["text"]}">{escape(words)}</text>'
