"""What flows through: bytes that a program makes at the source and another takes at the destination, and no file holds.

To the engine such a stream is a tree: a directory of segments of one block each, made while they come and let go when
they were taken, and at last the producer's report. So pieces, digests, seal and the bulk connections are those of any
transfer. Only the edges are others: `source` in place of a tree that is read, `sink` in place of one that is written.
"""
