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

-- ---- jobs: a file for `faceplate engine watch`, or where none can be written, a post in Fusion's preferences

local function job_path(id, name, ending)
  return CONFIG.folder .. "/" .. id .. "-" .. name .. ending
end

local function is_watched()
  return load_data(CONFIG.folder .. "/.faceplate-watching.lua") == true
end

local function watch_command(quote)
  return table.concat({ quote(CONFIG.python), "-P", "-m", "host_bridge.cli", "engine", "watch", quote(CONFIG.folder) }, " ")
end

local function start_watching()
  if not can_run then return end
  if SYSTEM == "Windows" then
    os.execute('start "" /B ' .. watch_command(function(text) return '"' .. text .. '"' end))
  else
    local quoted = function(text) return "'" .. text:gsub("'", "'\\''") .. "'" end
    os.execute("nohup " .. watch_command(quoted) .. " > /dev/null 2>&1 &")
  end
  for _ = 1, 40 do
    if is_watched() then return end
    wait(0.5)
  end
end

local function need_watching()
  if not is_watched() then start_watching() end
  if not is_watched() then
    problem(
      "nothing looks after " .. CONFIG.folder,
      "In a terminal, run: faceplate engine watch \"" .. CONFIG.folder .. "\" --resolve; leave it open, and start this script again"
    )
  end
end

local count = 0

local function new_id()
  count = count + 1
  local random = bmd and bmd.createuuid and bmd.createuuid() or tostring({})
  return (os.time() .. "-" .. count .. "-" .. tostring(random):gsub("[^%w]", "")):sub(1, 60)
end

-- By SetPrefs to an empty text it is taken back: nothing of ours stays in the user's preferences.
local function post(id, told)
  local fusion = fusion_object()
  if not fusion then problem("this Lua may neither write files nor set preferences", "Use the hot folder: docs/resolve.md") end
  fusion:SetPrefs("Global.FaceplatePost", id .. ":" .. hex(json(told)))
  fusion:SavePrefs()
end

local function take_back()
  local fusion = not can_write and fusion_object()
  if fusion then
    fusion:SetPrefs("Global.FaceplatePost", "")
    fusion:SavePrefs()
  end
end

-- Ask for jobs, each {name, kind, request}, and return the id under which their answers come.
local function submit(jobs)
  need_watching()
  local id = new_id()
  if not can_write then
    post(id, { jobs = jobs })
    return id
  end
  for _, job in ipairs(jobs) do
    local path = job_path(id, job.name, ".json")
    local partial = CONFIG.folder .. "/." .. id .. "-" .. job.name .. ".part"
    local file, why = io.open(partial, "wb")
    if not file then problem("cannot write into " .. CONFIG.folder .. ": " .. tostring(why), "Check the folder") end
    file:write(json({ kind = job.kind, request = job.request, answer = "lua" }))
    file:close()
    os.rename(partial, path)
  end
  return id
end

-- Wait until a job has ended or the time is over. Returns its status, nil while nobody has taken it.
local function answer(id, name, seconds)
  local path, stop, status = job_path(id, name, ".answer.lua"), os.time() + seconds, nil
  repeat
    status = load_data(path) or status
    if status and status.state ~= "running" then return status end
    wait(0.25)
  until os.time() >= stop
  return status
end

-- ---- the clips that are meant

-- Resolve tells no script which clips of a timeline are selected. So those of one colour are meant, and if there are none, the one at the playhead.
local function chosen()
  local timeline, found = context.timeline, {}
  for track = 1, timeline:GetTrackCount(VIDEO) do
    for _, item in ipairs(timeline:GetItemListInTrack(VIDEO, track) or {}) do
      if item:GetClipColor() == CONFIG.colour then found[#found + 1] = item end
    end
  end
  if #found == 0 then found[1] = timeline:GetCurrentVideoItem() end
  if #found == 0 then
    problem("no clip is chosen", "Give clips the colour " .. CONFIG.colour .. ", or put the playhead on one")
  end
  return found
end

-- "f_[0001-0100].dpx", as Resolve names sequences, to "f_%04d.dpx".
local function pattern_of(path)
  return (path:gsub("%[(%d+)%-%d+%]", function(first) return "%0" .. #first .. "d" end))
end

local function is_ours(path)
  path = slash(path)
  for _, part in ipairs(OURS) do
    if path:sub(1, #CONFIG.results) == slash(CONFIG.results) and path:find(part, 1, true) then return true end
  end
  return false
end

local function number_of(item, property)
  return tonumber((tostring(item:GetClipProperty(property) or ""):match("[%d.]+")))
end

local function media_path(item)
  local pool_item = item and item:GetMediaPoolItem()
  local path = pool_item and pool_item:GetClipProperty("File Path")
  if type(path) ~= "string" or path == "" then return nil end
  return path, pool_item
end

-- What a clip shows: its media, by Faceplate's numbers, which are those of the files, or count from 0.
local function shown(item)
  local name = item:GetName()
  local path, pool_item = media_path(item)
  if not path then
    problem(name .. ": has no footage of its own", "Titles, generators and compound clips go by Export timeline to Faceplate")
  end
  local start, frames = number_of(pool_item, "Start") or 0, number_of(pool_item, "Frames")
  local rate = number_of(pool_item, "FPS") or context.rate
  local duration = item:GetDuration(false)
  local count = math.max(round(duration * rate / context.rate), 1)
  local first, last = item:GetSourceStartFrame() - start, item:GetSourceEndFrame() - start
  if math.abs(math.abs(last - first) - count) > 1 or last < first then
    problem(name .. ": its speed was changed", "Use Export timeline to Faceplate, which follows speed changes")
  end
  local numbered = path:find("%[%d+%-%d+%]") and start or 0
  local from, to = math.max(first - CONFIG.handles, 0), first + count - 1 + CONFIG.handles
  if frames then to = math.min(to, frames - 1) end
  return {
    item = item, name = name, path = path, plate = pattern_of(path), rate = rate, count = count,
    first = numbered + first, from = numbered + from, to = numbered + to, sequence = numbered ~= 0 or nil,
    start = item:GetStart(false), duration = duration,
  }
end

-- The source performer's footage: what is selected in the Media Pool, without the plates themselves.
local function source_footage(plates)
  local found, taken = {}, {}
  for _, plate in ipairs(plates) do taken[plate.path] = true end
  for _, pool_item in ipairs(context.pool:GetSelectedClips() or {}) do
    local path = pool_item:GetClipProperty("File Path")
    if type(path) == "string" and path ~= "" and not taken[path] then found[#found + 1] = pattern_of(path) end
  end
  if #found == 0 then
    problem("no source is chosen", "Select the footage of the performer whose face is put in, in the Media Pool")
  end
  return found
end

local function results_folder()
  return CONFIG.results .. "/" .. file_name(context.project:GetName()) .. "/" .. file_name(context.timeline:GetName())
end

local function training_folder(source, plate)
  return CONFIG.results .. "/" .. file_name(context.project:GetName()) .. "/training/" .. file_name(stem(source)) .. "-on-" .. file_name(stem(plate))
end

-- Run a script's work, and tell what the user can mend as such.
local function main(work)
  local done, why = xpcall(function() work(open_project()) end, function(why)
    if type(why) == "table" then return why end
    return { what = tostring(why), remedy = "Run Faceplate > Self-check, and send us its report" }
  end)
  take_back()
  if not done then say(why.what .. ". " .. why.remedy .. ".") end
  return done
end
