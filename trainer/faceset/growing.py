"""An array on disk that grows row by row, drops rows, and ends as a `.npy` file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.types import Int

_HEADER = 128  # bytes: enough for any array of ours, and what numpy itself writes for them
_BLOCK = 32 << 20


class GrowingArray:
    """Rows of one shape and type, appended to a file.

    Rows are written, not mapped: where the disk is full, a mapped file kills the process instead of raising OSError.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], kind: str) -> None:
        self.path, self.shape, self.dtype = path, shape, np.dtype(kind)
        self.length = 0
        self._row = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        self._file = path.open("w+b")
        self._file.write(bytes(_HEADER))

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Add rows [n, *shape]."""
        block = np.ascontiguousarray(rows, self.dtype)
        if block.shape[1:] != self.shape:
            raise ValueError(f"rows of {self.shape}, not {block.shape[1:]}")
        self._file.seek(_HEADER + self.length * self._row)
        self._file.write(block.data)
        self.length += len(block)

    def read(self, rows: Int) -> npt.NDArray[Any]:
        """Read rows by number."""
        out = np.empty((len(rows), *self.shape), self.dtype)
        for into, row in zip(out, rows, strict=True):
            self._file.seek(_HEADER + int(row) * self._row)
            self._file.readinto(into.data)
        return out

    def keep(self, rows: Int, start: int = 0) -> None:
        """Keep of the rows from `start` on only those numbered `rows`, ascending, and close the gaps."""
        step = max(_BLOCK // self._row, 1)
        end = start
        for at in range(0, len(rows), step):
            block = self.read(rows[at : at + step])
            self._file.seek(_HEADER + end * self._row)
            self._file.write(block.data)
            end += len(block)
        self.length = end

    def finish(self) -> None:
        """Write the header, cut off what is no longer needed, and see the bytes on disk."""
        header = io.BytesIO()
        facts = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.length, *self.shape)}
        np.lib.format.write_array_header_1_0(header, facts)
        if len(header.getvalue()) != _HEADER:
            raise ValueError(f"a header of {len(header.getvalue())} bytes")
        self._file.seek(0)
        self._file.write(header.getvalue())
        self._file.flush()
        self._file.truncate(_HEADER + self.length * self._row)
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()
