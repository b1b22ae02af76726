"""Networks that train in front of the reader: one file a network, one mechanism for all.

A network is a `Learner` (`course`): it builds itself by a seed, makes one epoch, and is looked at
after each. `course.train` drives it: it tells how far it is, lets itself be stopped, goes back to
the last good epoch where a loss is no longer a number, chooses an epoch where the validation loss
rises, and takes up an earlier epoch with other values (`Turn`). What is seen goes into a
`Recording` (`recording`): 8 bits a value, coded by the difference between epochs. States are kept
in `Checkpoints` within a bound, and the epochs between are made again, which repeats them exactly.
A task hands `bench.kept.setdefault(checkpoints.KEPT, Checkpoints())` to it, so that a branch starts
near; without what was kept it starts from the seed, and gives the same.

>>> made = course.train(learner, epochs=100, turns=(), progress=progress, kept=Checkpoints())
>>> made.recording.frames["layer 1"].decoded()  # float32 [epochs, samples, units]
"""
