"""The disk edge: reading a source, staging at a destination, verifying, publishing.

Below a root every path is walked name by name, so that no link leads out of it.
"""
