"""The cases in which other tools are silently wrong; G numbers are those of the documented table."""

import math

import numpy as np

from tests.programs import program

RNG = np.random.default_rng(5)
X = RNG.uniform(0.4, 1.4, 5)
Y = RNG.normal(size=5)


@program(0.7, 4, tags=("G1",))
def g1_set_before_loop(x, n):
    c = x * x
    s = 0.0
    for _ in range(n):
        s += c
    return s + c


@program(0.7, 3, tags=("G2",))
def g2_nested_run_time_bounds(x, n):
    s = 0.0
    for i in range(n):
        for j in range(i + 1):
            s += x * (i + j) * s + x
    return s


@program(X, tags=("G3",))
def g3_continue_and_break_on_active(x):
    s = 0.0
    for i in range(len(x)):
        if x[i] > 1.3:
            continue
        s += x[i] * x[i]
        if s > 2.0:
            break
        s *= 1.1
    return s


@program(X, tags=("G4",))
def g4_scalar_updates(x):
    s = 1.0
    for i in range(len(x)):
        s *= x[i]
        s /= 1.0 + x[i]
        s **= 2
        s -= 0.1 * x[i]
    return s


@program(X, tags=("G5",))
def g5_overwritten_element(x):
    a = x.copy()
    for i in range(1, len(a)):
        a[i] = a[i] * a[i - 1]
    return a


@program(X, Y, tags=("G6",))
def g6_assign_and_add(x, y):
    v = np.zeros(5)
    w = np.zeros(5)
    for k in range(3):
        for i in range(5):
            v[i] = v[i] + x[i] * v[i] + y[i]
            w[i] += x[i] * w[i] + y[i]
    return v, w


@program(X, 3, tags=("G7",))
def g7_ping_pong(x, n):
    a = x.copy()
    b = np.zeros(5)
    for _ in range(n):
        for i in range(1, 4):
            b[i] = a[i - 1] * a[i + 1] + 0.3 * a[i]
        a, b = b, a
    return a


@program(np.outer(X, Y), tags=("G9",))
def g9_row_view(m):
    a = m.copy()
    row = a[1]
    row[2] = row[1] * row[3]
    column = a[:, 0]
    column[3] = column[1] * 2.0
    t = a.T
    t[4, 2] = t[0, 0] * t[1, 1]
    return a


@program(X, 0.5, tags=("G10",))
def g10_overlapping_slices(x, c):
    y = x.copy()
    y[1:] = y[:-1] * c
    y[1:] += y[:-1]
    y[:3] += c * y[:3][::-1]
    return y


@program(X, tags=("G11",))
def g11_early_returns(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i]**3
        if s > 1.0:
            return s * x[0]
        if s < -5.0:
            return s
    if s > 0.5:
        return s * 2.0
    return s * s


@program(0.9, 0.4, tags=("G12",))
def g12_kepler(mean, e):
    big = mean
    delta = 1.0
    while abs(delta) > 1e-14:
        delta = (big - e * math.sin(big) - mean) / (1.0 - e * math.cos(big))
        big = big - delta
    return big


@program(0.7, tags=("G13",))
def g13_assigned_in_a_branch(x):
    y = 1.0
    if x > 0.5:
        y = x * x
        z = y * x
    else:
        z = x
    return y * z


@program(X, 0, tags=("G14",))
def g14_no_iteration(x, n):
    s = x[0]
    a = x * 2.0
    for i in range(n):
        s = s * x[i]
        a = a * s
    return s, a


@program(X, np.array([0, 2, 2, -1, 1]), tags=("G15",))
def g15_indices_from_data(x, index):
    s = 0.0
    for i in range(len(index)):
        s += x[index[i]]**2
    y = np.zeros(5)
    for i in range(len(index)):
        y[index[i]] += x[i] * x[index[i]]
    return s, y, x[index]


@program(X, tags=("G16",))
def g16_loop_carried_divisor(x):
    s = 1.0
    for i in range(len(x)):
        s = s / (s + x[i])
    return s


@program(np.array([-0.5, 0.7, -1.2]), tags=("G17",))
def g17_powers_of_negative(x):
    return x**2 + x**3 + x**0


@program(np.array([-0.5, 0.7, 2.0]), tags=("G18",))
def g18_branch_not_taken(x):
    y = np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0)
    s = 0.0
    for i in range(len(x)):
        if x[i] > 0:
            s += math.sqrt(x[i])
    return y, s


@program(0.5, 3.0, tags=("G19",))
def g19_unused(x, bad):
    t = bad * 2.0 - 6.5
    if t > 0:
        t = math.acos(t)
    return x * x


@program(X, 0.3, tags=("G20",))
def g20_written_argument(x, c):
    for i in range(1, len(x)):
        x[i] = x[i - 1] * c + x[i]


@program(X, 0.3, tags=("G20",))
def g20_written_and_returned(x, c):
    x[0] = c * x[1]
    return x


@program(X, 0.3, tags=("G21",))
def g21_returned_as_is(x, c):
    return x, 1.0, np.zeros(3), c


@program(X, 2, True, tags=("G22",))
def g22_integers_and_flags(x, n, flag):
    k = int(x[0] * 3.0)
    if flag:
        return x[k % 5] * n
    return x[n]


@program(X, np.array([1, 3, 1, 0]), tags=("G26",))
def g26_read_and_write_meet(x, index):
    a = x.copy()
    for k in range(len(index)):
        i = index[k]
        a[i] += math.sin(a[index[(k + 1) % 4]]) * a[i]
    return a


@program(2.7, 1.3, tags=("G27",))
def g27_steps(x, y):
    return x * (x // y) + x % y + math.floor(x) * y + int(y) * x + round(x) * y


@program(X, tags=("G28",))
def g28_loops_of_all_kinds(x):
    s = 0.0
    for v in x:
        s += v * v
    for i, v in enumerate(x):
        s += i * v * s * 0.1
    for v, w in zip(x, x[::-1]):
        s += v * w
    for v in reversed(x):
        s = s * 0.5 + v
    for i in range(4, -1, -2):
        s += x[i] * s * 0.1
    return s


@program(0.4, 0.6, tags=("G29",))
def g29_tuple_assignments(a, b):
    a, b = b, a + b
    c = d = a * b
    c += 1.0
    (a, b), e = (b, a * c), d
    return a * b + c * d * e
