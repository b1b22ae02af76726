"""Declarations into widgets, jobs into progress, explanations into figures."""
