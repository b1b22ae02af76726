"""A package that is copied out of the tree and named as an extension: one file an idea."""
