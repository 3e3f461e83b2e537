-- Bring the result of Export timeline to Faceplate into the project, as a timeline of its own.

main(function()
  local name = context.timeline:GetName()
  local path = CONFIG.folder .. "/edits/" .. file_name(name) .. ".faceplate.otio"
  if not exists(path) then problem("there is no result of " .. name .. " yet", "Faceplate monitor shows how it goes") end
  for number = 1, 50 do -- nil, and nothing else, says that the name is taken
    local fresh = name .. " Faceplate" .. (number > 1 and " " .. number or "")
    local made = context.pool:ImportTimelineFromFile(path, { timelineName = fresh, importSourceClips = true })
    if made then
      context.project:SetCurrentTimeline(made)
      context.timeline = made
      return say("the result is the timeline " .. fresh)
    end
  end
  problem("Resolve did not import " .. path, "Try File > Import > Timeline, which says why")
end)
