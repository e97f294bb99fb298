"""The adjoint transform: reverse mode by source transformation.

For y = f(x) and a cotangent y_bar, the adjoint program computes y and
x_bar = f'(x)^T y_bar (Griewank & Walther, chapters 3.2 and 12).  It has two
sweeps.  The forward sweep is the primal, keeping what the other will read; the
reverse sweep undoes the statements last to first, each one handing the adjoint
of its target to its operands.

Files
-----
gates
    What the branch of a `where` that is not taken computes stays out of the adjoint.
nodes
    The program as a tree whose places have an order and a parent.
values
    For each value that a reverse statement reads: is it still there, or which
    snapshot holds it?
keep
    What is recomputed at the start of a reverse iteration, and what is kept.
finals
    Elements that are not written again, read where they stand: a dependence test.
tape
    Where it is kept: arrays indexed by the iteration where the loops always run
    equally often, stacks otherwise.
trips
    How often a block will run, told before its loops start.
unfolded, counted, settled
    Loops made ready for checkpoints: with those inside them as one, iterations
    counted, shapes fixed.
segments, budget, checkpoints, replay
    Loops within a memory budget: what both sweeps know of one, how its memory is
    divided, its forward sweep from checkpoint to checkpoint, its reverse.
sweep
    The two sweeps, block by block.
statements, stores
    The adjoint of each statement.
report
    What is kept, for `explain`.

Names
-----
``x_bar`` is the adjoint of ``x``, ``x_tape`` holds its values by iteration,
``x_stack`` those of a loop whose length is not known; names that the user has
taken get ``_2``.
"""

from srcdiff.reverse.sweep import adjoint

__all__ = ["adjoint"]
