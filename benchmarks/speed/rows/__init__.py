"""One file for each part of the table; each is found by itself."""
