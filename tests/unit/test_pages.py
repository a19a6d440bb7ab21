"""How the command blocks of the docs are read and compared; that each page has them all runnable, or says why not."""

import re
from pathlib import Path

import pytest

from tests.support import pages
from tests.support.pages import Omission, Step

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]

PAGE = """\
# A page
<!-- on db1: mkdir /srv/data -->
```console
$ salt-run transfer.copy \\
    src=db1:/srv/data
ok: it is there
...
db2$ ls /srv
```
<!-- not run: it makes a lab of its own,
     and that takes time -->
```bash
./dev demo
```
```yaml
a: 1
```
<!-- each on db2: rm -rf /srv/data -->
```console
$ one
$ two
```
"""


def test_a_page_becomes_steps_in_its_order():
    assert list(pages.read(PAGE)) == [
        Step("db1", "mkdir /srv/data", 2),
        Step("master", "salt-run transfer.copy src=db1:/srv/data", 4, ("ok: it is there", "...")),
        Step("db2", "ls /srv", 8, ()),
        Omission(13, "it makes a lab of its own,\n     and that takes time"),
        Step("db2", "rm -rf /srv/data", 18),
        Step("master", "one", 20, ()),
        Step("db2", "rm -rf /srv/data", 18),
        Step("master", "two", 21, ()),
    ]


def test_a_block_that_is_neither_run_nor_explained_is_told():
    assert list(pages.read("```bash\nls\n```\n")) == [Omission(2, "")]
    with pytest.raises(ValueError, match="output before any command"):
        list(pages.read("```console\nls\n```\n"))


@pytest.mark.parametrize(
    "shown, output, fit",
    [
        (["moved 1.0 MiB in 3.7 s (177.6 MiB/s)"], "moved 1.0 MiB in 2 s (1.0 GiB/s)", True),
        (["moved 1.0 MiB in 3.7 s"], "moved 2.0 MiB in 3.7 s", False),
        (["transfer " + "a" * 32], "moving  3 %\ntransfer " + "b" * 32, True),
        (["a", "...", "z"], "a\nb\nc\nz", True),
        (["a", "...", "z"], "a\nb\nc", False),
        (["a"], "a\nb", False),
        (["a", "b"], "a", False),
    ],
)
def test_outputs_are_compared_but_for_what_differs_each_time(shown, output, fit):
    assert pages.fits(shown, output) is fit


def test_a_command_is_about_the_transfer_that_was_told_last():
    told = pages.last_transfer(f"one {'a' * 32}\ntwo {'b' * 32}", "c" * 32)
    assert told == "b" * 32 and pages.last_transfer("none", told) == told
    assert pages.with_transfer(f"salt-run transfer.verify TRANSFER {'f' * 32}", told).split()[2:] == [told, told]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_command_block_is_run_or_says_why_not(page):
    found = list(pages.read(page.read_text(encoding="utf-8")))
    silent = [each.line for each in found if isinstance(each, Omission) and "tests/" not in each.reason]
    assert silent == [], "write ```console with prompts, see tests/support/pages.py, or <!-- not run: REASON --> before"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_no_command_stands_where_nobody_runs_it(page):
    outside = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^    (?:\$ )?salt(?:-\w+)? .*", outside, re.MULTILINE) == [], "put it into a block of console"
