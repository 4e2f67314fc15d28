"""Tables: reading them, and making tensors of them."""

from memorycell.data.tables.reading import read_table
from memorycell.data.tables.table import Table

__all__ = ["Table", "read_table"]
