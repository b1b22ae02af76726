"""What a worker can do, one file a task, found by discovery."""
