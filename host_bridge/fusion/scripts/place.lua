-- Results come back into the timeline.

local BIN = "Faceplate"
local PATCH, OVER = "FaceplatePatch", "FaceplateOver"

local function bin()
  local root = context.pool:GetRootFolder()
  for _, folder in ipairs(root:GetSubFolderList() or {}) do
    if folder:GetName() == BIN then return folder end
  end
  return context.pool:AddSubFolder(root, BIN)
end

-- The rendered pictures in the Media Pool, once. Returns the item, and the number of its first frame as Resolve counts.
local function import_pictures(pattern, clip)
  local folder, before = bin(), context.pool:GetCurrentFolder()
  for _, old in ipairs(folder:GetClipList() or {}) do
    local path = pattern_of(tostring(old:GetClipProperty("File Path") or ""))
    if slash(path) == slash(pattern) then context.pool:DeleteClips({ old }) end -- rendered again, maybe longer
  end
  context.pool:SetCurrentFolder(folder)
  local found = context.pool:ImportMedia({ { FilePath = pattern, StartIndex = clip.low, EndIndex = clip.high } })
  if before then context.pool:SetCurrentFolder(before) end
  local made = found and found[1]
  if not made then
    problem("Resolve cannot open " .. pattern, "Look whether the files are there, and whether this edition may read that folder")
  end
  made:SetClipProperty("FPS", tostring(clip.rate))
  return made, number_of(made, "Start") or clip.low
end

local function overlaps(item, clip)
  return item:GetStart(false) < clip.begin + clip.duration and item:GetStart(false) + item:GetDuration(false) > clip.begin
end

local function track_of(clip)
  local items, tracks = items_above(0)
  for index, item in ipairs(items) do
    if item == clip.item or item:GetUniqueId() == clip.item:GetUniqueId() then return tracks[index] end
  end
  problem(clip.name .. ": is not in the timeline any more", "Choose it again")
end

-- Take away what an earlier run has put above a clip.
local function remove_above(clip)
  local old = {}
  for _, item in ipairs((items_above(track_of(clip)))) do
    local path = media_path(item)
    if path and is_ours(path) and item:GetStart(false) >= clip.begin and overlaps(item, clip) then old[#old + 1] = item end
  end
  if #old > 0 then context.timeline:DeleteClips(old, false) end
  return #old
end

-- The lowest track above with nothing in the way; a new one if there is none.
local function free_track(clip)
  local top = context.timeline:GetTrackCount(VIDEO)
  for track = track_of(clip) + 1, top do
    local free = not context.timeline:GetIsTrackLocked(VIDEO, track)
    for _, item in ipairs(context.timeline:GetItemListInTrack(VIDEO, track) or {}) do
      if overlaps(item, clip) then free = false end
    end
    if free then return track end
  end
  context.timeline:AddTrack(VIDEO, { index = top + 1 })
  return context.timeline:GetTrackCount(VIDEO)
end

-- Whether Resolve counts the end of a range in is told in two ways by its users; so look how long the clip is, and try the other.
local function put_above(clip, result)
  local pictures, start = import_pictures(result.overlay, clip)
  remove_above(clip)
  local first, track = start + clip.first - clip.low, free_track(clip)
  for extra = -1, 0 do
    local made = context.pool:AppendToTimeline({ {
      mediaPoolItem = pictures, startFrame = first, endFrame = first + clip.count + extra, mediaType = 1,
      trackIndex = track, recordFrame = clip.begin,
    } })
    local item = made and made[1]
    if item and item:GetDuration(false) == clip.duration then return end
    if item then context.timeline:DeleteClips({ item }, false) end
  end
  problem(clip.name .. ": Resolve did not take the result", "It is in the bin " .. BIN .. ": lay it over the clip by hand")
end

local function put_take(clip, result)
  local pictures, start = import_pictures(result.frames, clip)
  local first = start + clip.first - clip.low
  if not clip.item:AddTake(pictures, first, first + clip.count - 1) then
    problem(clip.name .. ": Resolve did not add the take", "Use Replace face in selected clips, which lays it above")
  end
  clip.item:SelectTakeByIndex(clip.item:GetTakesCount())
end

local function our_comps(item)
  local found = {}
  for index = 1, item:GetFusionCompCount() do
    local comp = item:GetFusionCompByIndex(index)
    if comp and comp:FindTool(PATCH) then found[#found + 1] = item:GetFusionCompNameList()[index] end
  end
  return found
end

-- MediaIn > Merge > MediaOut, with the pictures in front. One step to undo.
local function put_comp(clip, result)
  for _, name in ipairs(our_comps(clip.item)) do clip.item:DeleteFusionCompByName(name) end
  local comp = clip.item:AddFusionComp()
  if not comp then problem(clip.name .. ": Resolve made no Fusion composition", "Use Replace face in selected clips") end
  comp:StartUndo("Faceplate: replace face")
  comp:Lock()
  local attributes = comp:GetAttrs()
  local begin = (attributes.COMPN_RenderStart or attributes.COMPN_GlobalStart or 0) - (clip.first - clip.low)
  local pictures = comp:AddTool("Loader", -32768, -32768)
  local merge = comp:AddTool("Merge", -32768, -32768)
  pictures:SetAttrs({ TOOLS_Name = PATCH })
  merge:SetAttrs({ TOOLS_Name = OVER })
  pictures:SetInput("Clip", (result.overlay:gsub("%%0(%d)d", function(digits)
    return string.format("%0" .. digits .. "d", clip.low)
  end)))
  pictures:SetInput("GlobalOut", begin + clip.high - clip.low)
  pictures:SetInput("GlobalIn", begin)
  merge:ConnectInput("Background", comp:FindTool("MediaIn1"))
  merge:ConnectInput("Foreground", pictures)
  comp:FindTool("MediaOut1"):ConnectInput("Input", merge)
  comp:Unlock()
  pictures:SetInput("PostMultiplyByAlpha", 1) -- straight alpha; a value set while locked may never render
  comp:EndUndo()
end

local PLACES = { above = put_above, take = put_take, comp = put_comp }

-- Take back all that any of these has done to a clip. Returns what it was.
local function take_away(clip)
  local gone = remove_above(clip)
  for _, name in ipairs(our_comps(clip.item)) do
    if clip.item:DeleteFusionCompByName(name) then gone = gone + 1 end
  end
  for index = clip.item:GetTakesCount(), 1, -1 do
    local take = clip.item:GetTakeByIndex(index)
    local path = take and take.mediaPoolItem and take.mediaPoolItem:GetClipProperty("File Path")
    if path and is_ours(path) then
      clip.item:SelectTakeByIndex(1)
      if clip.item:DeleteTakeByIndex(index) then gone = gone + 1 end
    end
  end
  return gone
end
