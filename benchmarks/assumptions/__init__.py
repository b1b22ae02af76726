"""What a loader has to assume of a file, held against what is true of it."""
