"""Tasks that put an explanation to the test, one file each, found by discovery."""
