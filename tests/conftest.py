"""What all tests share."""

import os

# Tests run small networks: one thread each is faster, and steadier beside a busy neighbour.
os.environ.setdefault("OMP_NUM_THREADS", "2")
# Several test processes share the cores: a thread that waits for another must not keep a core busy meanwhile.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
