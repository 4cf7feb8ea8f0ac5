"""The least build backend with which pip downloads the source archive of llama_cpp_python.

pip asks a source archive's build backend for its metadata before it keeps the archive. The
archive's own backend would be fetched and run for that; this one answers instead, so that nothing
but the pinned archive is fetched and no code of others runs.
"""

import os

_NAME = "llama_cpp_python"
_VERSION = "0.3.36"


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = f"{_NAME}-{_VERSION}.dist-info"
    os.makedirs(os.path.join(metadata_directory, folder))
    path = os.path.join(metadata_directory, folder, "METADATA")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"Metadata-Version: 2.1\nName: {_NAME}\nVersion: {_VERSION}\n")
    return folder
