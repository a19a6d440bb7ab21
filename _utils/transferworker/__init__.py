"""The detached process that moves bytes on one host, and what a minion needs to start it, talk to it and undo after it.

Composes hosttools and datamover; never imports salt. `__main__` is its command line.
"""
