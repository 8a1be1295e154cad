"""Sphinx's settings for the site.

`tools/build_site.py` gathers the pages beside this file and builds them.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "diffusion-lab"
author = "the authors of diffusion-lab"
copyright = author
extensions = ["myst_nb", "course_pages"]
root_doc = "index"
exclude_patterns = ["exercises/*"]  # for download, not to be read here

nb_execution_mode = "off"  # the lessons are stored with their outputs
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

mathjax_path = "mathjax/tex-chtml.js"  # from our own server: see course_pages
mathjax3_config = {"options": {"enableMenu": False, "menuOptions": {"settings": {"assistiveMml": True}}}}

html_theme = "sphinx_book_theme"
html_title = "diffusion-lab"
html_favicon = "static/icon.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_use_index = False
html_copy_source = True
html_show_sphinx = False
html_show_copyright = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
    "use_download_button": True,
    "use_fullscreen_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"**": ["navbar-logo.html", "search-button-field.html", "sbt-sidebar-nav.html"]}

linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_anchors = False
linkcheck_ignore = [r"https://(github\.com|colab\.research\.google\.com/github|mybinder\.org/v2/gh)/OWNER/.*"]
