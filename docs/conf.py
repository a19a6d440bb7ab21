"""How Sphinx makes the site of these pages: `./dev docs`. Pages are read as they are; only the reference is made."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "_utils")]

import reference_pages  # noqa: E402

from transferplan.version import VERSION  # noqa: E402

project = "salt-transfer"
release = VERSION
copyright = "the maintainers of salt-transfer"  # noqa: A001  Sphinx's own name for it
extensions = ["myst_parser"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = []
nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]
suppress_warnings = []
highlight_language = "text"
html_theme = "furo"
html_title = f"salt-transfer {VERSION}"
html_show_sourcelink = False
html_copy_source = False
html_extra_path = ["benchmarks.json", "benchmarks-4GiB.json"]


def setup(app):
    app.connect("config-inited", lambda *_: reference_pages.write(HERE / "reference"))
