"""Sphinx's settings; docs/site/__main__.py makes the folder that it reads."""

project = "pynq-bnn"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
html_theme = "furo"
html_title = "pynq-bnn"
html_favicon = "icon.svg"
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_static_path = []
html_extra_path = ["extra"]
nb_execution_mode = "off"  # what the notebooks showed is kept in them
myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]
autodoc_mock_imports = ["pynq", "torch", "amaranth"]
autodoc_typehints = "none"  # numpydoc's sections have the types
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
# ref.python: a class's short name in a docstring, which has a namesake elsewhere
suppress_warnings = ["mystnb.unknown_mime_type", "ref.python"]
