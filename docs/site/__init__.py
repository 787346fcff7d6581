"""How the pages in `docs` become a site: `python -m docs.site FOLDER`, which `make docs` runs.

    pages --- staging ---> build/docs-source --- Sphinx ---> HTML

Sphinx and MyST do the work. What is here puts the pages together for them: `staging` copies them to a folder of
their own, where it turns marks into text that is made of the code (`reference`, `commandline`, `tornadonames`), links
to files of the repository into pages that show them (`linking`), and `navigation.toml` into tables of contents. The
pages themselves stay Markdown that reads well without any of this.
"""
