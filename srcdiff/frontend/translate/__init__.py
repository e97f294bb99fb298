"""A typed partial evaluator: a desugared function and abstract arguments in, normal form out.

`values` says what a name can be bound to, `context` holds the state, and each
of the other modules translates one kind of thing.  `tidy` makes the result
read like the user's code.
"""
