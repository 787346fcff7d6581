"""Jupyter on Eyewall: `make jupyter`. It takes an environment of its own, and too long for every run of the tests.

`lab.py` drives JupyterLab in a browser; `serversuite.py` runs Jupyter Server's own tests under both Tornados.
"""
