"""Readers of public data sets, for training and for evaluation."""
