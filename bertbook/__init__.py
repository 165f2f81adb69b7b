"""The library that the chapters of *From Seq2Seq to BERT* build up."""

__version__ = "0.1.0"
