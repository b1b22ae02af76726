"""Which files give what: each is written here, loaded behind the wall and asked.

`python -m benchmarks.formats` measures all of it and writes the tables of docs/formats.md. A
section's name after it (`kinds`, `torchvision`, `applications`) measures that section alone.
"""
