-- The clips that are meant, and what they show.

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
