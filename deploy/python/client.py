"""What the examples beside it share: how they find a server and its token, and print errors."""

import os
import pathlib
import sys

from ragstone.v1 import errors_pb2


def default_data_dir():
    if "RAGSTONE_DATA_DIR" in os.environ:
        return pathlib.Path(os.environ["RAGSTONE_DATA_DIR"])
    home = os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local" / "share"
    return pathlib.Path(home) / "ragstone" / "data"


def add_server_arguments(parser):
    parser.add_argument("--address", default="127.0.0.1:7420", help="host:port of the server")
    parser.add_argument("--data-dir", type=pathlib.Path, default=default_data_dir(),
                        help="the server's data directory, whose file `token` is read")


def read_token(data_dir):
    """The token of the server's owner; ends the program if it cannot be read."""
    try:
        return (data_dir / "token").read_text(encoding="ascii").strip()
    except OSError as error:
        return sys.exit(f"the token cannot be read: {error}; is --data-dir the server's?")


def error_json(error):
    """The canonical code, Ragstone's stable reason and the message of a failed call."""
    reason = ""
    for key, value in error.trailing_metadata() or []:
        if key == "grpc-status-details-bin":
            for detail in errors_pb2.ErrorStatus.FromString(value).details:
                reason = errors_pb2.ErrorInfo.FromString(detail.value).reason
    return {"error": {"code": error.code().name, "reason": reason, "message": error.details()}}
