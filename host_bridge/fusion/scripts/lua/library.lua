-- What all menu scripts share. Every edition of Resolve runs this: it asks what there is before it uses it, and loads no module.
-- CONFIG stands above, written by the installer. All paths in it are whole ones.

local VIDEO = "video"
local NOTE = "faceplate-note"
local OURS = { "/overlay/overlay.", "/composite/composite." }

-- ---- what this Lua has

local SYSTEM = (jit and jit.os) or "Other"
local can_write = type(io) == "table" and type(io.open) == "function" and type(os.rename) == "function"
local can_run = type(os.execute) == "function"

local function fusion_object()
  local found = fusion or fu or app
  if not found and resolve then found = resolve:Fusion() end
  return found
end

local function wait(seconds)
  if bmd and bmd.wait then bmd.wait(seconds) return end
  local stop = os.clock() + seconds
  while os.clock() < stop do end
end

local function exists(path)
  if bmd and bmd.fileexists then return bmd.fileexists(path) and true or false end
  local chunk = loadfile(path) -- says so of Lua files only
  return chunk ~= nil
end

-- Load a file that holds data: it sees nothing but the clock.
local function load_data(path)
  local chunk = exists(path) and loadfile(path)
  if not chunk then return nil end
  setfenv(chunk, { os = { time = os.time } })
  local done, value = pcall(chunk)
  if done then return value end
  return nil
end

-- ---- text

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(char)
  return ESCAPES[char] or string.format("\\u%04x", string.byte(char))
end

-- A value as JSON: a table with 1..n is a list, any other an object. Numbers are whole or have a fraction; nothing else is taken.
local function json(value)
  local kind = type(value)
  if kind == "string" then return '"' .. value:gsub('[%c"\\]', escape) .. '"' end
  if kind == "boolean" then return tostring(value) end
  if kind == "number" then
    if value == math.floor(value) then return string.format("%.0f", value) end
    return string.format("%.17g", value)
  end
  assert(kind == "table", "a " .. kind .. " is no JSON")
  local parts = {}
  if #value > 0 then
    for _, one in ipairs(value) do parts[#parts + 1] = json(one) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, one in pairs(value) do parts[#parts + 1] = json(tostring(key)) .. ":" .. json(one) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

local function hex(text)
  return (text:gsub(".", function(char) return string.format("%02x", string.byte(char)) end))
end

local function slash(path)
  return (path:gsub("\\", "/"))
end

local function stem(path)
  return (slash(path):match("([^/]*)$"):gsub("%.[^.]*$", ""))
end

-- A name that is fit for a file on every system.
local function file_name(text)
  local name = text:gsub("[^%w_-]+", "-"):gsub("^-+", ""):gsub("-+$", "")
  return name ~= "" and name:sub(1, 60) or "untitled"
end

local function round(value)
  return math.floor(value + 0.5)
end

-- ---- problems

-- Something that the user can mend: what, and what to do about it. It ends the script, and `main` tells it.
local function problem(what, remedy)
  error({ faceplate = true, what = what, remedy = remedy or "" }, 0)
end

-- ---- Resolve

local context = {}

local function open_project()
  local found = resolve
  if not found and type(Resolve) == "function" then found = Resolve() end
  if not found and bmd and bmd.scriptapp then found = bmd.scriptapp("Resolve") end
  if not found then problem("this script runs in DaVinci Resolve", "Start it from Workspace > Scripts") end
  context.resolve = found
  context.project = found:GetProjectManager():GetCurrentProject()
  if not context.project then problem("no project is open", "Open one") end
  context.pool = context.project:GetMediaPool()
  context.timeline = context.project:GetCurrentTimeline()
  if not context.timeline then problem("no timeline is open", "Open one on the Edit page") end
  context.rate = tonumber(context.timeline:GetSetting("timelineFrameRate")) or 24
  return context
end

-- Show it where every edition can see it: the console if it is open, and one marker at the head of the timeline.
local function say(text)
  print("Faceplate: " .. text)
  local timeline = context.timeline
  if not timeline then return end
  timeline:DeleteMarkerByCustomData(NOTE)
  for frame = 0, 20 do -- one of them is free
    if timeline:AddMarker(frame, "Sand", "Faceplate", text, 1, NOTE) then return end
  end
end
