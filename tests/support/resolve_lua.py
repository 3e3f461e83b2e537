"""Menu scripts in LuaJIT: the host's objects as Lua sees them, in the environment of each edition."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lupa.luajit21 as lupa

from tests.support.resolve_api import Handle
from tests.support.resolve_host import Host

# What the menu of the free edition 21.1 lacks, as measured by its users.
GONE = ("io", "require", "package", "ffi", "debug", "arg")
GONE_OF_OS = ("execute", "remove", "rename", "exit", "setlocale")

_OBJECT = """
function(handle, call)
  return setmetatable({}, {
    __handle = handle,
    __index = function(self, name)
      local kind, value = call(handle, name)
      if kind == "value" then return value end
      return function(this, ...)
        if this ~= self then error(name .. " is called with a colon", 2) end
        return value(...)
      end
    end,
    __newindex = function(_, name) error(name .. " cannot be set", 2) end,
  })
end
"""

_HANDLE_OF = """
(function()
  local of = debug.getmetatable
  return function(value) local told = of(value) return told and told.__handle end
end)()
"""


class Lua:
    """One state. edition: full, or sandbox. waited: is called for each bmd.wait."""

    def __init__(self, host: Host, edition: str, waited: Callable[[float], None] = lambda seconds: None) -> None:
        self.state = lupa.LuaRuntime(encoding="utf-8", unpack_returned_tuples=True, register_eval=False)
        self.printed: list[str] = []
        self.executed: list[str] = []
        self._objects: dict[Any, Any] = {}
        self._make = self.state.eval(_OBJECT)
        self._handle_of = self.state.eval(_HANDLE_OF)
        globals_ = self.state.globals()
        globals_.python = None
        globals_.print = lambda *told: self.printed.append(" ".join(map(str, told)))
        globals_.resolve = self.to_lua(host.handle())
        globals_.fusion = globals_.fu = globals_.app = self.to_lua(Handle(host.resolve.fusion))
        bmd = {
            "wait": waited,
            "fileexists": lambda path: Path(path).is_file(),
            "direxists": lambda path: Path(path).is_dir(),
            "createuuid": lambda: str(uuid.uuid4()),
        }
        if edition == "full":
            bmd["executebg"] = bmd["openurl"] = bmd["readdir"] = lambda *told: self.executed.append(str(told))
        native = self.state.eval("function(work) return function(...) return work(...) end end")
        globals_.bmd = self.state.table_from({name: native(work) for name, work in bmd.items()})
        if edition == "sandbox":
            for name in GONE:
                globals_[name] = None
            for name in GONE_OF_OS:
                globals_.os[name] = None
        else:
            globals_.os.execute = native(self._execute)

    def _execute(self, command: str) -> int:
        self.executed.append(command)
        return 0

    def run(self, script: str) -> Any:
        return self.state.execute(script)

    def to_lua(self, value: Any) -> Any:
        if isinstance(value, Handle):
            if value not in self._objects:
                self._objects[value] = self._make(value, self._call)
            return self._objects[value]
        if isinstance(value, list):
            return self.state.table_from({i: self.to_lua(v) for i, v in enumerate(value, 1) if v is not None})
        if isinstance(value, dict):
            return self.state.table_from({k: self.to_lua(v) for k, v in value.items()})
        return value

    def from_lua(self, value: Any) -> Any:
        if lupa.lua_type(value) != "table":
            return value
        handle = self._handle_of(value)
        if handle is not None:
            return handle
        told = {key: self.from_lua(one) for key, one in value.items()}
        return list(told.values()) if told and list(told) == list(range(1, len(told) + 1)) else told

    def _call(self, handle: Handle, name: str) -> tuple[str, Any]:
        found = getattr(handle, name)
        if not callable(found):
            return "value", found
        return "method", lambda *told: self.to_lua(found(*map(self.from_lua, told)))
