"""`/file`: the router's folder of files, where the hotspot's pages lie.

Backed by a plain mapping from path to text, which others read and write too; a folder shows up as soon as something is in it.
"""

from gateway.simulators.routeros import traps
from gateway.simulators.routeros.directory import Directory, Request
from gateway.simulators.routeros.machine import Machine
from gateway.simulators.routeros.tables import Row, hex_id

_FIRST_ID = 0x1000
"""File ids are made up by the router at each listing; ours last as long as the simulator."""


class FileMenu:
    """The rows and commands of `/file`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._ids: dict[str, str] = {}

    def directory(self) -> Directory:
        """What stands behind the menu."""
        return Directory(self._rows, {"add": self._add, "set": self._set, "remove": self._remove})

    def _rows(self) -> list[Row]:
        files = self._machine.files
        folders = {path[:at] for path in files for at, letter in enumerate(path) if letter == "/"}
        flash = {"flash"} if self._machine.has_flash_folder else set()
        return [
            *(self._row(folder, {"type": "disk" if folder == "flash" else "directory"}) for folder in sorted(folders | flash)),
            *(self._row(path, _described(path, text)) for path, text in sorted(files.items())),
        ]

    def _row(self, path: str, values: Row) -> Row:
        row_id = self._ids.setdefault(path, hex_id(_FIRST_ID + len(self._ids)))
        return {".id": row_id, "name": path, **values}

    def _add(self, request: Request) -> str:
        (name,) = request.need("name")
        if name in self._machine.files:
            raise traps.Trap("failure: file with such name already exists")  # the text is a guess
        self._machine.write_file(name, request.arguments.get("contents", ""))
        return self._row(name, {})[".id"]

    def _set(self, request: Request) -> None:
        for path in self._paths(request):
            text = self._machine.files.pop(path)
            self._machine.write_file(request.arguments.get("name", path), request.arguments.get("contents", text))

    def _remove(self, request: Request) -> None:
        for path in self._paths(request):
            del self._machine.files[path]

    def _paths(self, request: Request) -> list[str]:
        """The files that are meant; a folder is none."""
        paths = {row_id: path for path, row_id in self._ids.items() if path in self._machine.files}
        if not set(request.ids) <= paths.keys():
            raise traps.no_such_item()
        return [paths[row_id] for row_id in request.ids]


def _described(path: str, text: str) -> Row:
    suffix = path.rpartition(".")[2]
    return {"type": f".{suffix} file", "size": str(len(text.encode())), "contents": text}
