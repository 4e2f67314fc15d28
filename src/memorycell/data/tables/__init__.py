"""Tables: reading them, and making tensors of them."""
