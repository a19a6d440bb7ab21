"""Decides about replicas: whether one may be rebuilt, whether it is proved, whether it may be repaired now. Pure."""
