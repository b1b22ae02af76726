"""What our engines cost beside their peers: one row a goal, one file in `rows` for each part.

`python -m benchmarks.speed` measures all rows and writes docs/benchmarks.md; `--only rise` those
whose name begins so, `--full` with the goals' own counts. A row is a function under `@row` that
makes a `Case` out of a `Size`; it runs in a process of its own, on one thread.
"""
