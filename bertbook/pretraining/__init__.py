"""Pre-training: a corpus on disk, packed rows, and one loop that survives.

`python -m bertbook.pretraining --help` is the command line. Every step is a
function of the settings, the seed and the step's number, so that a run which
was killed goes on to the same weights.
"""
