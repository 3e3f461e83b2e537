-- Give the whole timeline to Faceplate, with who is put in. Resolve itself writes it as OpenTimelineIO, which the sandbox allows.

-- The clips that have footage of their own, each footage once for each cast: {name, plate, cast}. named: only those of which markers speak.
local function to_ask(named)
  local found, seen = {}, {}
  for track = 1, context.timeline:GetTrackCount(VIDEO) do
    for _, item in ipairs(context.timeline:GetItemListInTrack(VIDEO, track) or {}) do
      local path = media_path(item)
      local casts = path and not is_ours(path) and casts_of(item) or {}
      if path and not named and not is_ours(path) then casts = { {} } end
      for _, cast in ipairs(casts) do
        local whole = not named or (cast.target and cast.source)
        local key = path .. "|" .. (cast.target or "") .. "|" .. (cast.source or "")
        if whole and not seen[key] then
          seen[key] = true
          found[#found + 1] = { name = item:GetName(), plate = pattern_of(path), cast = cast }
        end
      end
    end
  end
  return found
end

-- The sources whom markers anywhere in the timeline name; half a word says nothing of a timeline.
local function sources_named()
  local found, seen = {}, {}
  local function take(notes)
    for _, told in ipairs(notes) do
      if told.target and told.source and not seen[told.source] then
        seen[told.source] = true
        found[#found + 1] = told.source
      end
    end
  end
  take(said_by(context.timeline:GetMarkers()))
  for track = 1, context.timeline:GetTrackCount(VIDEO) do
    for _, item in ipairs(context.timeline:GetItemListInTrack(VIDEO, track) or {}) do take(said_by(item:GetMarkers())) end
  end
  table.sort(found)
  return found
end

-- Whose the chosen footage is: the only source whom markers name; else the performer whom it is called after; else nobody says it.
local function source_name(named, sources, near)
  if #named > 1 then
    problem("markers name several sources, and the Media Pool's selection is of one: " .. table.concat(named, ", "), "Select nothing, and give their footage in a cast file; docs/timeline.md tells how")
  end
  if named[1] then return named[1] end
  local told = ask_consent({ { request = { near = near, source = sources[1] } } })[1] or {}
  for _, one in ipairs(told.performers or {}) do
    if one.name:lower() == called(sources[1]):lower() then return one.name end
  end
end

main(function()
  local base = CONFIG.folder .. "/edits/" .. file_name(context.timeline:GetName())
  local path = base .. ".otio"
  need_watching()
  local request = {
    edit = path, out = base .. ".faceplate", export = { profile = "resolve", out = base .. ".faceplate.otio" },
    run = { method = CONFIG.method }, train = { minutes = CONFIG.minutes },
  }
  local named = sources_named()
  local chosen_source, sources = pcall(source_footage, {}) -- where there is none, markers in the timeline say it
  local name
  if chosen_source then
    name = source_name(named, sources, request.out)
    request.performers = { [name or called(sources[1])] = sources }
    if #named == 0 then request.source = name or called(sources[1]) end
  end
  local asked = {}
  for _, one in ipairs(to_ask(#named > 0)) do
    local cast = { target = one.cast.target, source = one.cast.source or name }
    local ask = { plate = one.plate, source = chosen_source and sources[1] or nil, near = request.out, swap = cast_parameters(cast) }
    asked[#asked + 1] = { name = one.name, request = ask }
  end
  if (chosen_source or #named > 0) and #asked <= MOST_ASKED then need_consent(asked) end -- of more the engine asks as it comes to them
  if not context.timeline:Export(path, context.resolve.EXPORT_OTIO, context.resolve.EXPORT_NONE) then
    problem("Resolve could not write " .. path, "Export it by hand, File > Export > Timeline as OTIO, into " .. CONFIG.folder)
  end
  submit({ { name = "timeline", kind = "timeline", request = request } })
  if not can_write then wait(5) end -- until the post is read
  say("the timeline was given to Faceplate. When Faceplate monitor says it is done, Import result timeline")
end)
