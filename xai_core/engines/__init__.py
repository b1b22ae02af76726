"""Adapters to the published libraries: one file a library, its imports inside."""
