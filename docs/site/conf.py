"""How Sphinx builds the site; `build.py` lays the pages out for it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import memorycell

project = "memorycell"
author = "The memorycell authors"
copyright = "The memorycell authors, Apache License 2.0"
version = release = memorycell.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.viewcode", "myst_nb", "markup"]
myst_heading_anchors = 4  # as repository pages name headings
myst_fence_as_directive = ["mermaid", "math"]
nb_execution_mode = "off"  # notebooks are stored with what came out, and run by the tests
nb_merge_streams = True
smartquotes = False  # what stands between quotes is often code
html_math_renderer = "mathml"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"memorycell {version}"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style, pygments_dark_style = "friendly", "monokai"
