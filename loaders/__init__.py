"""Bytes into a model or a photo: one file a format."""
