"""How Sphinx builds the documentation: ``make docs``, offline, with every warning an error."""

import os
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import generated_pages  # noqa: E402  (it lies beside this file)

project = "seenn_convert"
author = "The seenn_convert authors"
copyright = f"2026, {author}"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["generated/README.md", "schema/README.md"]
html_theme = "furo"
html_title = "seenn_convert"
html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # results are tables below headings of the page that includes them

PROFILE = HERE.parent / "build" / "ipython" / "profile_default"  # a kernel that reads nothing from the user's home
PROFILE.mkdir(parents=True, exist_ok=True)
(PROFILE / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 40\n", encoding="utf-8")
os.environ["IPYTHONDIR"] = str(PROFILE.parent)
nb_execution_mode = "force"  # the notebook runs at every build, so it cannot go stale
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 90
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
nitpicky = True
nitpick_ignore_regex = [  # types of other libraries, and our own that are not part of the public names
    (r"py:.*", r"(torch|numpy|np|collections|pathlib|typing|nn|onnx|datasets)\b.*"),
    (r"py:.*", r"(?!seenn_convert\.[A-Za-z_]+$).*"),
]


def setup(app: Sphinx) -> None:
    """Write the pages that are made from the code, before Sphinx looks for pages."""
    app.connect("config-inited", lambda *_: generated_pages.write(HERE / "generated"))
