"""One module of checks per chapter: they take the learner's answer."""
