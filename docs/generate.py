"""Writes the pages and examples that are made from the program's own tables: `python docs/generate.py [--check]`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "_utils"), str(ROOT / "docs")]

import manual  # noqa: E402

import datamover.errors  # noqa: E402
import hosttools.errors  # noqa: E402
import replicaplan.errors  # noqa: E402
import transferplan.errors  # noqa: E402
from replicaplan.settings import HOST, REPAIR  # noqa: E402
from transferplan import reference  # noqa: E402

ERRORS = {
    "Before anything happens": transferplan.errors.ERRORS,
    "While host tools are used": hosttools.errors.ERRORS,
    "While databases are handled": replicaplan.errors.ERRORS,
    "While bytes are moved": datamover.errors.ERRORS,
}
PILLAR = "# What a minion's pillar may say of its database. Its own configuration wins over it.\n"


def files():
    """{path: text} of everything that is generated."""
    pages = {
        "docs/options.md": reference.options_page([HOST, REPAIR]),
        "docs/errors.md": reference.errors_page(ERRORS),
        "docs/events.md": reference.events_page(),
        "docs/man/salt-transfer.7": manual.page(),
        "debian/changelog": manual.debian_changelog(),
    }
    return {ROOT / name: text for name, text in {**pages, **examples()}.items()}


def examples():
    """What of transfers and of databases may stand in each file of an administrator."""
    texts = {name: reference.example(name) for name in reference.EXAMPLES}
    texts["minion.conf"] += "\n" + reference.section_example(HOST)
    texts["master.conf"] += "\n" + reference.section_example(REPAIR)
    texts["replica.sls"] = PILLAR + reference.section_example(HOST)
    return {f"pillar.example/{name}": text for name, text in texts.items()}


def stale():
    """The generated files whose text is not what would be written now."""
    return [path for path, text in files().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main(arguments):
    outdated = stale()
    if "--check" in arguments:
        print("\n".join(f"{path.relative_to(ROOT)} is not up to date: run docs/generate.py" for path in outdated))
        return 1 if outdated else 0
    for path in outdated:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(files()[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
