"""What all tests share."""

import os

# Tests run small networks: one thread each is faster, and steadier beside a busy neighbour.
os.environ.setdefault("OMP_NUM_THREADS", "2")
