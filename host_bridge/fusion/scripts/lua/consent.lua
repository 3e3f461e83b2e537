-- Who is meant, as markers say it, and whether they may be used so: asked before anything is made or changed.

local MOST_ASKED = 60 -- a mailbox takes no more than 64 jobs

local FACE = "[Ff][Aa][Cc][Ee][%s:]+%w+%s*="

-- What `FACE target="Ann Lee" source=ben track=1` says, as docs/timeline.md has it: a list, for there may be several in a text.
local function face_notes(text)
  text = " " .. text:gsub("\226\128[\156\157]", '"') -- quotes as macOS types them
  local found, at = {}, text:find("%f[%w]" .. FACE)
  while at do
    local stop = text:find("%f[%w]" .. FACE, at + 4)
    local inside, told, from = text:sub(at + 4, (stop or #text + 1) - 1), {}, 1
    while true do
      local _, equals, key = inside:find("(%w+)%s*=%s*", from)
      if not equals then break end
      local quote = inside:match("^[\"']", equals + 1)
      local pattern = quote and "^" .. quote .. "([^" .. quote .. "]*)" .. quote or "^([^%s\"';]+)"
      local _, last, value = inside:find(pattern, equals + 1)
      if value then told[key:lower()] = value end
      from = (last or equals) + 1
    end
    found[#found + 1] = told
    at = stop
  end
  return found
end

-- What footage is called, without the rest of its file's name.
local function called(path)
  return stem(path):match("^[^.]+") or stem(path)
end

-- What markers say, those that touch the frames from..to; all of them without these.
local function said_by(markers, from, to)
  local found = {}
  for frame, marker in pairs(markers or {}) do
    local near = not from or (frame <= to and frame + math.max(marker.duration or 1, 1) > from)
    if near and marker.customData ~= NOTE then
      for _, text in ipairs({ marker.name or "", marker.note or "" }) do
        for _, told in ipairs(face_notes(text)) do found[#found + 1] = told end
      end
    end
  end
  return found
end

-- All that is said of a clip: by its own markers, else by those of the timeline that touch it.
local function casts_of(item)
  local found = said_by(item:GetMarkers())
  if #found > 0 then return found end
  local start = item:GetStart(false) - context.timeline:GetStartFrame()
  return said_by(context.timeline:GetMarkers(), start, start + item:GetDuration(false) - 1)
end

-- Who is replaced by whom in a clip, where only one may be; empty where nobody is named.
local function cast_of(item)
  local found = casts_of(item)
  if #found > 1 then
    problem(item:GetName() .. ": markers name more than one replacement", "Use Export timeline to Faceplate, which does several")
  end
  local told = found[1] or {}
  local cast = { target = told.target, source = told.source }
  for number in (told.track or told.tracks or ""):gmatch("%d+") do
    cast.tracks = cast.tracks or {}
    cast.tracks[#cast.tracks + 1] = tonumber(number)
  end
  return cast
end

-- The parameters of Swap that say who is meant; nil where nothing is said.
local function cast_parameters(cast, more)
  local told = more or {}
  told.target_performer, told.source_performer = cast.target, cast.source
  return next(told) and told or nil
end

-- Ask who may be used for what; each {name, request}, a request as the job `performers` takes it. What was not answered is nil.
local function ask_consent(asked)
  local jobs, found = {}, {}
  for index, one in ipairs(asked) do jobs[index] = { name = "consent-" .. index, kind = "performers", request = one.request } end
  local id = submit(jobs)
  for index, job in ipairs(jobs) do
    local status = answer(id, job.name, CONFIG.wait)
    if not status or status.state == "running" then
      problem("Faceplate has not said who may be used", "Start this script again; Faceplate monitor shows what it is at")
    end
    local why = status.error
    if status.state == "finished" then
      found[index] = status.result
    elseif why.exit_status == 10 then -- what is wrong with footage is told where it is used
      found[index] = { allowed = false, said = table.concat({ why.message, why.remedy }, " ") }
    end
  end
  return found
end

-- Say who would be used by which consents, or end the script with what is missing. What is asked twice is asked once.
local function need_consent(asked)
  local fresh, known = {}, {}
  for _, one in ipairs(asked) do
    local key = json(one.request)
    if not known[key] then
      known[key] = true
      fresh[#fresh + 1] = one
    end
  end
  local said, refused, names = {}, {}, {}
  for index, told in pairs(ask_consent(fresh)) do
    local list = told.allowed and said or refused
    if not names[told.said] then list[#list + 1] = told.said end
    names[told.said] = (names[told.said] and names[told.said] .. ", " or "") .. fresh[index].name
  end
  local function listed(list)
    for index, text in ipairs(list) do list[index] = names[text] .. ": " .. text end
    return table.concat(list, ". ")
  end
  if #refused > 0 then problem(listed(refused), "Nothing was changed") end
  if #said > 0 then say(listed(said)) end
end
