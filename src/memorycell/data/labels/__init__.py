"""Labels, and samples that have them."""
