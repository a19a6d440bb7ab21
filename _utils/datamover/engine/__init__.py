"""The network edge: channels, and the two ends that speak the wire over them, `sender` and `receiver`."""
