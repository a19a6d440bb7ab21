"""Writes the reference of what Salt can call, from the docstrings of the faces, without importing Salt."""

import ast
import inspect
from pathlib import Path

from transferplan.options import describe

ROOT = Path(__file__).resolve().parents[1]
FACES = {
    "_runners": ("Runner", "On the master: `salt-run {name}.FUNCTION`, or in an orchestration, a reactor, salt-api."),
    "_states": ("State", "In a highstate, or by `salt MINION state.single {name}.FUNCTION name=...`."),
    "_modules": ("Execution module", "On a minion: `salt MINION {name}.FUNCTION`, or `salt-call` on the host itself."),
}


def write(folder):
    """One page for each face, and a page that lists them; what is no face any more goes."""
    folder.mkdir(exist_ok=True)
    pages = dict(all_pages())
    pages["index"] = index(pages)
    for old in folder.glob("*.rst"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        place = folder / f"{name}.rst"
        if not place.exists() or place.read_text(encoding="utf-8") != text:
            place.write_text(text, encoding="utf-8")


def all_pages():
    """(name of the page, its text) of every face."""
    for directory, (kind, how) in FACES.items():
        for path in sorted((ROOT / directory).glob("*.py")):
            yield f"{kind.split()[0].lower()}-{path.stem}", page(path, kind, how)


def index(pages):
    return "\n".join(
        [
            *title("Reference", "="),
            "What Salt can call, made from the functions' own documentation. ``salt-run -d transfer`` and",
            "``salt '*' sys.doc transfer`` show the same on a terminal.",
            "",
            ".. toctree::",
            "   :maxdepth: 1",
            "",
            *(f"   {name}" for name in pages),
            "",
        ]
    )


def page(path, kind, how):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    about = inspect.cleandoc(ast.get_docstring(tree) or "")
    lines = [*title(f"{kind} {path.stem}", "="), how.format(name=path.stem).replace("`", "``"), "", about, ""]
    for function in public(tree):
        lines += entry(path.stem, kind, function)
    return "\n".join(lines) + "\n"


def title(text, line):
    return [text, line * len(text), ""]


def public(tree):
    named = [each for each in tree.body if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")]
    return [each for each in named if ast.get_docstring(each)]


def entry(module, kind, function):
    called = f"{module}.{function.name.rstrip('_')}"
    about = inspect.cleandoc(ast.get_docstring(function)).replace("OPTIONS\n", f"{described()}\n\n")
    arguments = ast.unparse(function.args).replace("*, ", "")
    body = [f"   {line}".rstrip() for line in about.splitlines()]
    head = [f".. py:function:: {called}({arguments})", f"   :module: {kind.lower()}"]
    return ["", *title(called, "-"), *head, "", *body, ""]


def described():
    return inspect.cleandoc(describe()).strip("\n")
