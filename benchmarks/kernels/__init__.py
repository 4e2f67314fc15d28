"""How fast memorycell's recurrent layers are on a processor, beside everything else that computes them."""
