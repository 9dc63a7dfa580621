"""Say in one sentence which system library is missing, before an import fails with a traceback.

The wheels of OpenCV and rasterio carry most of what they need, but a bare Debian lacks a few libraries that they take
from the system. Only the standard library is imported here; `python -m edge.preflight` runs the check alone.
"""

from __future__ import annotations

import ctypes
import importlib
import re
import sys
from importlib.metadata import PackageNotFoundError, version

from edge.errors import TankerEdgeError

_DISTRIBUTION = {"cv2": "opencv-python", "rasterio": "rasterio"}
"""Modules that need libraries of the system, and what pip calls them."""

_DEBIAN_PACKAGE = {
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb.so.1": "libxcb1",
    "libexpat.so.1": "libexpat1",
}
"""Libraries that those wheels take from the system and a bare Debian, Ubuntu or JetPack may lack."""

_MISSING = re.compile(r"^(\S+\.so[.\d]*): cannot open shared object file")  # the words of glibc's loader


class NativeLibraryError(TankerEdgeError):
    """A module cannot be loaded: most often, a shared library of the system is missing."""

    exit_code = 3


def _is_there(library: str) -> bool:
    """Whether the loader finds a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _packages_for(library: str) -> list[str]:
    """Debian packages for a library that was not found and for the others that would be missed after it."""
    missing = {library, *(known for known in _DEBIAN_PACKAGE if not _is_there(known))}
    return sorted({_DEBIAN_PACKAGE[name] for name in missing if name in _DEBIAN_PACKAGE})


def _missing_library(error: ImportError) -> str | None:
    """Name of the shared library that an import did not find, if that is why it failed."""
    found = _MISSING.match(str(error))
    return found.group(1) if found else None


def explain(module: str, error: ImportError) -> NativeLibraryError:
    """Turn a failed import of a module into an error that says what to install."""
    library = _missing_library(error)
    if library is None:
        distribution = _DISTRIBUTION.get(module, module)
        mend = f"install it again: python -m pip install --force-reinstall {distribution}"
        return NativeLibraryError(module, f"cannot be imported ({error})", mend)
    cause = f"the system library {library} is missing"
    packages = _packages_for(library)
    if not packages:
        return NativeLibraryError(module, cause, f"install the package of your system that holds {library}")
    mend = f"on Debian, Ubuntu or JetPack: sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
    return NativeLibraryError(module, cause, mend)


def _failure(module: str) -> ImportError | None:
    """Why a module does not load, if it does not."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        return error
    return None


def missing_packages() -> list[str]:
    """Debian packages that have to be installed before the modules load; none where they load already."""
    failures = [failure for module in _DISTRIBUTION if (failure := _failure(module)) is not None]
    libraries = [library for failure in failures if (library := _missing_library(failure)) is not None]
    return sorted({package for library in libraries for package in _packages_for(library)})


def check_native_libraries() -> None:
    """Load what needs libraries of the system.

    Raises:
        NativeLibraryError: something does not load; the message names the library and the package that holds it.
    """
    for module in _DISTRIBUTION:
        failure = _failure(module)
        if failure is not None:
            raise explain(module, failure) from failure


def installed_version(name: str) -> str | None:
    """Version of an installed distribution; None where it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> int:
    """Check, print what is wrong, and give the exit code."""
    try:
        check_native_libraries()
    except NativeLibraryError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
