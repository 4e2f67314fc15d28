"""How many threads can be asked for: a bound of parameters, options and files. Loads no torch."""

MOST_THREADS = 256  # kMostThreads of csrc/team.h: as many as the kernels share a layer among


def said(wanted: object) -> str:
    """Why a number of threads is refused.

    Example
    -------
    >>> said(200_000)
    'at most 256 threads can be used, got 200000: leave n_threads out to have them chosen'
    """
    return f"at most {MOST_THREADS} threads can be used, got {wanted}: leave n_threads out to have them chosen"
