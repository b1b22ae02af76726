"""Its tasks, found by discovery."""
