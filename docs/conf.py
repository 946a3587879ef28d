"""How Sphinx builds the site: ``python -m nox -s docs``."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from docutils.nodes import TextElement, reference
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

project = "trioquotes"
author = "the trioquotes authors"
release = version = installed_version("trioquotes")

sys.path.insert(0, str(Path(__file__).parent))  # for the extension beside this file

extensions = [
    "coverage_tables",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinxcontrib_trio",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "trioquotes"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Other projects' inventories would have to be downloaded, so their names stay plain text.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!trioquotes\b).*"),
    (r"py:.*", r"trioquotes\..*\.(E|T|[A-Z]_co)"),  # type variables
    (r"py:.*", r"trioquotes\.simulator\..*"),  # its insides concern only those who write a simulator
    (
        r"py:class",
        r"trioquotes\.venues\.\w+\.\w+\.\w+",
    ),  # what a venue's messages have in common, in its own modules
    # Seams for tests and for recordings, not API.
    (r"py:class", r"trioquotes\._runtime\.(clock\.Clock|connector\.(Connector|Line|Route|Target))"),
    (r"py:class", r"trioquotes\._protocol\.planner\.Planner"),
]

doctest_global_setup = "import trioquotes as tq\nfrom decimal import Decimal\n"


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: TextElement) -> reference | None:
    """Send a name that is written short, or by its private module, to the one public place that documents it."""
    if node.get("refdomain") != "py":
        return None
    domain: Any = env.domains["py"]
    last = node["reftarget"].rpartition(".")[2]
    homes = sorted(name for name in domain.objects if name.rpartition(".")[2] == last)
    unified = [name for name in homes if not name.startswith("trioquotes.venues.")] or homes
    if len(unified) != 1:
        return None
    entry = domain.objects[unified[0]]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content)


def setup(app: Sphinx) -> None:
    """Register the resolver."""
    app.connect("missing-reference", resolve)
