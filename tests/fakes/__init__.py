"""Doubles that stand in for the wall and for a model, without any framework."""
