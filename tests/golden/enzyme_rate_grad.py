try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["enzyme_rate_grad"]


@njit(error_model="numpy", fastmath={"contract"})
def enzyme_rate_grad(concentration, constants_0, constants_1, constants_2):
    """Gradient of enzyme_rate (golden_functions.py:93) with respect to concentration.

    d enzyme_rate / d concentration

    Parameters
    ----------
    concentration : float
    constants_0 : float
    constants_1 : float
    constants_2 : float

    Returns
    -------
    concentration_bar : float
        gradient with respect to concentration
    """
    # line 95: substrate = concentration if concentration > 0.0 else 0.0
    test = concentration > 0.0
    if test:
        substrate = concentration
    else:
        substrate = 0.0
    # line 96: return fastest * substrate / (half + substrate * (1.0 + substrate / inhibition))
    t = 1.0 + substrate / constants_2
    t_2 = constants_1 + substrate * t
    concentration_bar = 0.0
    t_3 = 1.0 / t_2
    t_4 = -constants_0 * substrate / t_2 * t_3
    substrate_bar = t * t_4 + substrate * t_4 / constants_2 + constants_0 * t_3
    # line 95: substrate = concentration if concentration > 0.0 else 0.0
    if test:
        concentration_bar = substrate_bar
    return concentration_bar
