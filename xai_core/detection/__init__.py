"""What object detectors find, and why: boxes, their suppression, and what is asked of one."""
