"""Configuration of the documentation."""

import aiida_mlkkr

project = 'aiida-mlkkr'
author = 'The aiida-mlkkr developers'
copyright = author
release = aiida_mlkkr.__version__
version = '.'.join(release.split('.')[:2])

extensions = [
    'myst_nb',
    'sphinx.ext.apidoc',
    'sphinx.ext.autodoc',
    'sphinx.ext.mathjax',
    'sphinx.ext.napoleon',
    'sphinx_copybutton',
    'sphinx_design',
    'aiida.sphinxext',
]
myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath', 'fieldlist']
myst_heading_anchors = 3
nb_execution_mode = 'force'
nb_execution_raise_on_error = True
nb_execution_timeout = 600

# One page for each module, written when the documentation is built.
apidoc_modules = [
    {
        'path': '../../aiida_mlkkr',
        'destination': 'reference/api',
        'exclude_patterns': ['../../aiida_mlkkr/cli*', '../../aiida_mlkkr/demo*'],
        'separate_modules': True,
        'module_first': True,
        'automodule_options': {'members', 'show-inheritance'},
    }
]
autodoc_member_order = 'bysource'
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
napoleon_use_ivar = True

html_theme = 'furo'
html_title = f'aiida-mlkkr {release}'
copybutton_selector = 'div:not(.output) > div.highlight pre'
