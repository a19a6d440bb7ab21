"""What the master does for a transfer: asks minions, drives a course to its end, looks at what there is.

It composes `transferplan`, which decides, and `saltface`, which speaks to Salt.
"""
