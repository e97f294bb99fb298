"""Names in generated modules by which their text speaks to the loader.

They stand apart because a process that finds its modules on disk loads neither the printer nor what the printer needs.
"""

__all__ = ["ANY_ORDER", "FROM_FRONT"]

FROM_FRONT = "__from_front__"       # for each function, the arrays whose indices never count from the end
ANY_ORDER = "__any_order__"         # for each function, the sums whose order is nobody's
