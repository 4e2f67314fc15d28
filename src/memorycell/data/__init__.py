"""Codecs and batches: tables, and later text, audio, music and strokes, to tensors and back."""
