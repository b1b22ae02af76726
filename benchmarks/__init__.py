"""Timings side by side with the peers, printed as ratios."""
