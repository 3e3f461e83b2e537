-- Find out what this Resolve allows, and what Faceplate relies on that nobody has tried: on a timeline of its own, which is removed at the end.

local lines, failed = {}, 0

local function note(text)
  lines[#lines + 1] = text
end

local function shown_value(value)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" or kind == "nil" then return tostring(value) end
  return kind
end

-- One question. Its answer is noted, or why there is none; the next one follows whatever happens.
local function try(name, work)
  local done, value = pcall(work)
  if not done then
    failed = failed + 1
    value = type(value) == "table" and value.text or value
  end
  note((done and "ok    " or "FAILS ") .. name .. ": " .. shown_value(value))
  return done and value or nil
end

local function present(name, value)
  note((value ~= nil and "there " or "nil   ") .. name)
end

local function environment()
  note("-- this Lua")
  note("jit " .. tostring(jit and jit.version) .. ", " .. SYSTEM)
  for _, name in ipairs({ "io", "require", "package", "ffi", "debug", "loadfile", "loadstring", "setfenv", "bmd", "fusion", "resolve", "Clip" }) do
    present(name, _G[name])
  end
  for _, name in ipairs({ "execute", "remove", "rename", "getenv", "time", "clock" }) do present("os." .. name, os[name]) end
  for _, name in ipairs({ "wait", "fileexists", "direxists", "createuuid", "executebg", "openurl", "readfile", "writefile", "readdir" }) do
    present("bmd." .. name, bmd and bmd[name])
  end
  try("write a file into the watched folder", function()
    if not can_write then return "not allowed here" end
    local path = CONFIG.folder .. "/.faceplate-selfcheck"
    local file = assert(io.open(path, "wb"))
    file:write("x")
    file:close()
    os.remove(path)
    return true
  end)
  try("the watcher is there", function() return tostring(is_watched()) end)
end

local function preferences()
  local fusion = fusion_object()
  note("-- preferences")
  try("fusion:MapPath Fuses:", function() return fusion:MapPath("Fuses:") end)
  try("fusion:SetPrefs, GetPrefs", function()
    fusion:SetPrefs("Global.FaceplateCheck", "a")
    local value = fusion:GetPrefs("Global.FaceplateCheck")
    fusion:SetPrefs("Global.FaceplateCheck", "")
    return value
  end)
end

local function clips()
  note("-- the clip at the playhead")
  local item = try("GetCurrentVideoItem", function() return context.timeline:GetCurrentVideoItem() or "none" end)
  if type(item) == "string" or item == nil then return end
  for _, name in ipairs({ "GetName", "GetClipColor", "GetUniqueId", "GetSourceStartFrame", "GetSourceEndFrame", "GetTakesCount", "GetFusionCompCount" }) do
    try(name, function()
      local value = item[name](item)
      return name == "GetName" and "(" .. #value .. " letters)" or value -- names are nobody's business
    end)
  end
  for _, name in ipairs({ "GetStart", "GetDuration", "GetLeftOffset" }) do
    try(name, function() return item[name](item, false) end)
  end
  local pool_item = item:GetMediaPoolItem()
  for _, name in ipairs({ "FPS", "Frames", "Start" }) do
    try("GetClipProperty " .. name, function() return pool_item:GetClipProperty(name) end)
  end
  try("GetClipProperty File Path", function()
    local path = pool_item:GetClipProperty("File Path")
    return path:find("%[%d+%-%d+%]") and "a sequence" or "a file"
  end)
end

local function composition(item)
  local comp = try("AddFusionComp", function() return item:AddFusionComp() end)
  if not comp then return end
  local attributes = comp:GetAttrs()
  for _, name in ipairs({ "COMPN_GlobalStart", "COMPN_GlobalEnd", "COMPN_RenderStart", "COMPN_RenderEnd" }) do
    note("ok    " .. name .. ": " .. shown_value(attributes[name]))
  end
  for _, name in ipairs({ "MediaIn1", "MediaOut1" }) do
    try("FindTool " .. name, function() return assert(comp:FindTool(name), "is not there") and true end)
  end
  try("StartUndo, Lock", function() comp:StartUndo("Faceplate: self-check") comp:Lock() return true end)
  local made = {}
  for _, id in ipairs({ "Loader", "Merge", "MatteControl", "Fuse.FaceplateDetect", "Fuse.FaceplateAlign", "Fuse.FaceplateMask", "Fuse.FaceplateSwap" }) do
    try("AddTool " .. id, function()
      made[id] = assert(comp:AddTool(id, -32768, -32768), "Resolve does not know it")
      return made[id]:GetAttrs().TOOLS_RegID
    end)
  end
  try("ConnectInput", function()
    local done = made.Merge:ConnectInput("Background", comp:FindTool("MediaIn1"))
    return done
  end)
  try("Unlock, EndUndo", function() comp:Unlock() comp:EndUndo() return true end)
  try("a value set after Unlock stays", function()
    made.Loader:SetInput("PostMultiplyByAlpha", 1)
    return made.Loader:GetInput("PostMultiplyByAlpha")
  end)
  try("a read-only text of the Fuse takes what a script sets", function()
    made["Fuse.FaceplateSwap"]:SetInput("ConsentState", "check")
    return made["Fuse.FaceplateSwap"]:GetInput("ConsentState")
  end)
  try("GetFusionCompNameList, DeleteFusionCompByName", function()
    local names = item:GetFusionCompNameList()
    return item:DeleteFusionCompByName(names[#names])
  end)
end

-- Append a clip of the user's own footage to an empty timeline: how ranges are counted, what a take and a composition give.
local function scratch()
  note("-- a timeline of its own")
  local before, item = context.timeline, context.timeline:GetCurrentVideoItem()
  local media = item and item:GetMediaPoolItem()
  if not media then return note("put the playhead on a clip with footage to have this tried") end
  local timeline = try("CreateEmptyTimeline", function() return context.pool:CreateEmptyTimeline("Faceplate self-check " .. os.time()) end)
  if not timeline then return end
  local done, why = pcall(function()
    context.project:SetCurrentTimeline(timeline)
    local start = number_of(media, "Start") or 0
    local made = try("AppendToTimeline", function()
      local found = context.pool:AppendToTimeline({ {
        mediaPoolItem = media, startFrame = start, endFrame = start + 9, mediaType = 1, trackIndex = 1, recordFrame = timeline:GetStartFrame(),
      } })
      return assert(found and found[1], "nothing was appended")
    end)
    if not made then return end
    try("frames of a range of 0 to 9", function() return made:GetDuration(false) end)
    try("its GetSourceStartFrame less Start", function() return made:GetSourceStartFrame() - start end)
    try("AddTake, SelectTakeByIndex", function() return made:AddTake(media, start, start + 9) and made:SelectTakeByIndex(2) end)
    try("AddMarker, GetMarkers: its note", function()
      assert(timeline:AddMarker(0, "Sand", "Faceplate", "check", 1, "faceplate-check"), "none was added")
      return assert(timeline:GetMarkers()[0], "it is not at frame 0").note
    end)
    try("DeleteMarkerByCustomData", function() return timeline:DeleteMarkerByCustomData("faceplate-check") end)
    try("GetMarkers of a clip", function() return made:GetMarkers() end)
    composition(made)
    try("Export OTIO", function()
      local path = CONFIG.folder .. "/edits/self-check.otio"
      return timeline:Export(path, context.resolve.EXPORT_OTIO, context.resolve.EXPORT_NONE)
    end)
  end)
  if not done then note("FAILS the scratch timeline: " .. tostring(why)) end
  context.project:SetCurrentTimeline(before)
  try("DeleteTimelines", function() return context.pool:DeleteTimelines({ timeline }) end)
end

main(function()
  note("Faceplate " .. CONFIG.version .. " in " .. context.resolve:GetProductName() .. " " .. context.resolve:GetVersionString())
  environment()
  preferences()
  clips()
  scratch()
  local report = table.concat(lines, "\n")
  print(report)
  local where
  if can_write then
    local path = CONFIG.folder .. "/Faceplate self-check.txt"
    local file = io.open(path, "wb")
    if file then
      file:write(report .. "\n")
      file:close()
      where = path
    end
  end
  if not where then -- the watcher writes it, if there is one; it stays in the preferences meanwhile
    post(new_id(), { report = report })
    wait(3)
    where = is_watched() and CONFIG.folder .. "/Faceplate self-check.txt" or "the preferences: start faceplate engine watch \"" .. CONFIG.folder .. "\" --resolve, and this again"
  end
  say("self-check: " .. failed .. " of what was tried fails. The report is in " .. where .. ". Please send it to us")
end)
