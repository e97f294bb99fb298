"""Names in generated modules by which their text speaks to the loader.

They stand apart because a process that finds its modules on disk loads neither the printer nor what the printer needs.
"""

__all__ = ["ANY_ORDER", "AT_ONCE", "FROM_FRONT"]

FROM_FRONT = "__from_front__"       # for each function, the arrays whose indices never count from the end
ANY_ORDER = "__any_order__"         # for each function, the sums whose order is nobody's
AT_ONCE = "__at_once__"             # for each function, "1" for each loop whose iterations may run at once, "0" for others
