"""Files that are no tables of text: named by their first bytes, and refused."""

from __future__ import annotations

from memorycell.data.tables.files.raw import Raw

_OTHERS = {
    b"\x89HDF": "an HDF5 or NetCDF file", b"CDF\x01": "a NetCDF file", b"CDF\x02": "a NetCDF file",
    b"SQLite format 3": "an SQLite database", b"$FL2": "an SPSS file", b"@(#)": "an SPSS file",
    b"<stata_dta>": "a Stata file", b"\x80\x04": "a pickle", b"\x80\x05": "a pickle", b"\x80\x03": "a pickle",
    b"ORC": "an ORC file", b"Obj\x01": "an Avro file", b"MATLAB": "a MATLAB file", b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture",
    b"X\n\0\0\0": "a file of R", b"RDX": "a file of R", b"@relation": "an ARFF file", b"@RELATION": "an ARFF file",
}  # fmt: skip


def refuse_other_kinds(raw: Raw) -> None:
    """Raise ValueError for a web page, a PDF, and files of other programs."""
    head = raw.head(1000)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    remedy = "expected a CSV, Parquet or Excel file"
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<table")):
        raise ValueError(f"{raw.name} is a web page (HTML or XML), not a CSV: save the data itself; {remedy}")
    if head.startswith(b"%PDF-"):
        raise ValueError(f"{raw.name} is a PDF, not a CSV: save the data itself; {remedy}")
    kind = next((kind for mark, kind in _OTHERS.items() if head.startswith(mark)), None)
    if kind is not None:
        raise ValueError(f"{raw.name} is {kind}; {remedy}: read it with what wrote it, and save it as one of these")
