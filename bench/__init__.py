"""Measures salt-transfer beside the tools that people use today, between two network namespaces: `./dev bench`."""
