-- What all menu scripts share. Every edition of Resolve runs this: it asks what there is before it uses it, and loads no module.
-- CONFIG, ACTION and PLACE stand above, written by the installer. All paths in CONFIG are whole ones.
--
-- A script tells the engine what is open in Resolve (the job `resolve`), which decides; it runs the jobs that it is told, and places what they made.

local VIDEO = "video"
local NOTE = "faceplate-note"
local OURS = { "/overlay/overlay.", "/composite/composite." }

-- ---- what this Lua has

local SYSTEM = (jit and jit.os) or "Other"
local can_write = type(io) == "table" and type(io.open) == "function" and type(os.rename) == "function"
local can_run = type(os.execute) == "function"

local function wait(seconds)
  if bmd and bmd.wait then bmd.wait(seconds) return end
  local stop = os.clock() + seconds
  while os.clock() < stop do end
end

-- ---- text

local function slash(path)
  return (path:gsub("\\", "/"))
end

-- A name that is fit for a file on every system.
local function file_name(text)
  local name = text:gsub("[^%w_-]+", "-"):gsub("^-+", ""):gsub("-+$", "")
  return name ~= "" and name:sub(1, 60) or "untitled"
end

-- ---- problems

-- Something that the user can mend: what, and what to do about it. It ends the script, and `main` tells it.
local function problem(what, remedy)
  error({ text = remedy and what .. ". " .. remedy .. "." or what }, 0)
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

-- By SetPrefs to an empty text it is taken back: nothing of ours stays in the user's preferences.
local function post(id, told)
  if not leave_post(id, told) then
    problem("this Lua may neither write files nor set preferences", "Use the hot folder: docs/resolve.md")
  end
end

local function take_back()
  local fusion = not can_write and fusion_object()
  if fusion then
    fusion:SetPrefs("Global.FaceplatePost", "")
    fusion:SavePrefs()
  end
end

-- Put a file into the watched folder, whole or not at all.
local function drop(name, content)
  local partial = CONFIG.folder .. "/." .. name .. ".part"
  local file, why = io.open(partial, "wb")
  if not file then problem("cannot write into " .. CONFIG.folder .. ": " .. tostring(why), "Check the folder") end
  file:write(json(content))
  file:close()
  os.rename(partial, CONFIG.folder .. "/" .. name .. ".json")
end

-- Ask for jobs, each {name, kind, request}, and return the id under which their answers come.
local function submit(jobs)
  need_watching()
  local id = new_id()
  if not can_write then
    post(id, { jobs = jobs })
    return id
  end
  for _, job in ipairs(jobs) do drop(id .. "-" .. job.name, { kind = job.kind, request = job.request, answer = "lua" }) end
  return id
end

-- Wait until a job has ended or the time is over. Returns its status, nil while nobody has taken it.
local function answer(id, name, seconds)
  local path, stop, status = CONFIG.folder .. "/" .. id .. "-" .. name .. ".answer.lua", os.time() + seconds, nil
  repeat
    status = load_data(path) or status
    if status and status.state ~= "running" then return status end
    wait(0.25)
  until os.time() >= stop
  return status
end

-- ---- what is open

-- The clips of the video tracks above one, and the track of each.
local function items_above(track)
  local items, tracks = {}, {}
  for number = track + 1, context.timeline:GetTrackCount(VIDEO) do
    for _, item in ipairs(context.timeline:GetItemListInTrack(VIDEO, number) or {}) do
      items[#items + 1], tracks[#items + 1] = item, number
    end
  end
  return items, tracks
end

-- Resolve tells no script which clips of a timeline are selected. So those of one colour are meant, and if there are none, the one at the playhead.
local function chosen()
  local found = {}
  for _, item in ipairs((items_above(0))) do
    if item:GetClipColor() == CONFIG.colour then found[#found + 1] = item end
  end
  if #found == 0 then found[1] = context.timeline:GetCurrentVideoItem() end
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
  if path:sub(1, #CONFIG.results) ~= slash(CONFIG.results) then return false end
  return (path:find(OURS[1], 1, true) or path:find(OURS[2], 1, true)) ~= nil
end

-- The number in a property, which may be text.
local function number_of(item, property)
  return tonumber((tostring(item:GetClipProperty(property) or ""):match("[%d.]+")))
end

local function media_path(item)
  local pool_item = item and item:GetMediaPoolItem()
  local path = pool_item and pool_item:GetClipProperty("File Path")
  if type(path) ~= "string" or path == "" then return nil end
  return path, pool_item
end

local function markers_of(owner)
  local list = {}
  for frame, marker in pairs(owner:GetMarkers() or {}) do
    if marker.customData ~= NOTE then
      list[#list + 1] = { frame = frame, duration = marker.duration, name = marker.name, note = marker.note }
    end
  end
  return list
end

-- A clip as the engine is told of it.
local function facts_of(item)
  local path, pool_item = media_path(item)
  local facts = { name = item:GetName(), begin = item:GetStart(false), duration = item:GetDuration(false), markers = markers_of(item) }
  if path then
    facts.path, facts.sequence = pattern_of(path), path:find("%[%d+%-%d+%]") ~= nil
    facts.start, facts.frames, facts.rate = number_of(pool_item, "Start") or 0, number_of(pool_item, "Frames"), number_of(pool_item, "FPS")
    facts.first, facts.last = item:GetSourceStartFrame(), item:GetSourceEndFrame()
  end
  return facts
end

-- Where the timeline is written, without ending.
local function edit_path()
  return CONFIG.folder .. "/edits/" .. file_name(context.timeline:GetName())
end

-- Have the engine decide what is done with these clips; what it refuses ends the script, what it allows is said. Returns its answer.
local function decide(action, items)
  local sources, clips = {}, {}
  for _, pool_item in ipairs(context.pool:GetSelectedClips() or {}) do
    local path = pool_item:GetClipProperty("File Path")
    if type(path) == "string" and path ~= "" then sources[#sources + 1] = pattern_of(path) end
  end
  for index, item in ipairs(items) do clips[index] = facts_of(item) end
  local id = submit({ {
    name = "ask", kind = "resolve",
    request = {
      action = action, project = context.project:GetName(), timeline = context.timeline:GetName(), rate = context.rate,
      start = context.timeline:GetStartFrame(), markers = markers_of(context.timeline), sources = sources, clips = clips,
      results = CONFIG.results, edit = edit_path(), handles = CONFIG.handles, minutes = CONFIG.minutes, method = CONFIG.method,
    },
  } })
  local status = answer(id, "ask", CONFIG.wait)
  if not status or status.state == "running" then
    problem("Faceplate has not said who may be used", "Start this script again; Faceplate monitor shows what it is at")
  end
  if status.state == "failed" then problem(status.error.message, status.error.remedy or "Look at Faceplate monitor") end
  if not status.result.allowed then problem(status.result.said) end
  if status.result.said ~= "" then say(status.result.said) end
  return status.result
end

-- Run a script's work, and tell what the user can mend as such.
local function main(work)
  local done, why = xpcall(function() work(open_project()) end, function(why)
    if type(why) == "table" then return why end
    return { text = tostring(why) .. ". Run Faceplate > Self-check, and send us its report." }
  end)
  take_back()
  if not done then say(why.text) end
  return done
end
