"""What a worker is asked for beyond the pages' own tasks."""
