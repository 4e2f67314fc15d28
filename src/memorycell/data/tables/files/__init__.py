"""Files as people have them: bytes, text or workbooks, taken apart into columns whose values are decided."""
