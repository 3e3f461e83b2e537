-- What the scripts of Resolve's menu and the buttons of Fuses share. Every edition runs this: it asks what there is before it uses it.

local function fusion_object()
  local found = fusion or fu or app
  if not found and resolve then found = resolve:Fusion() end
  return found
end

local function exists(path)
  if bmd and bmd.fileexists then return bmd.fileexists(path) and true or false end
  return loadfile(path) ~= nil -- says so of Lua files only
end

-- Load a file that holds data: it sees nothing but the clock.
local function load_data(path)
  local chunk = exists(path) and loadfile(path, "t")
  if not chunk then return nil end
  setfenv(chunk, { os = { time = os.time } })
  local done, value = pcall(chunk)
  if done then return value end
  return nil
end

local function escape(char)
  return string.format("\\u%04x", string.byte(char))
end

-- A value as JSON: a table with 1..n is a list, any other an object. Numbers are whole or have a fraction; nothing else is taken.
local function json(value)
  local kind = type(value)
  if kind == "string" then return '"' .. value:gsub('[%c"\\]', escape) .. '"' end
  if kind == "boolean" then return tostring(value) end
  if kind == "number" then return string.format(value == math.floor(value) and "%.0f" or "%.15g", value) end
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

local count = 0

local function new_id()
  count = count + 1
  local random = bmd and bmd.createuuid and bmd.createuuid() or tostring({})
  return (os.time() .. "n" .. count .. "n" .. tostring(random)):gsub("%W", ""):sub(1, 60)
end

-- Leave something in Fusion's preferences, where `faceplate engine watch FOLDER --resolve` finds it. Returns whether that could be done.
local function leave_post(id, told)
  local fusion = fusion_object()
  if not (fusion and fusion.SetPrefs and fusion.SavePrefs) then return false end
  local hex = json(told):gsub(".", function(char) return string.format("%02x", string.byte(char)) end)
  fusion:SetPrefs("Global.FaceplatePost", id .. ":" .. hex)
  fusion:SavePrefs()
  return true
end
