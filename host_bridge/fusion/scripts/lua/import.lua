-- Bring the result of Export timeline to Faceplate into the project, as a timeline of its own.

main(function()
  local name = context.timeline:GetName()
  local base = CONFIG.folder .. "/" .. file_name(name)
  local path = base .. ".faceplate.otio"
  if not exists(path) then
    local failed = exists(base .. ".otio.error.txt")
    problem(failed and "it has failed" or "it is not done yet",
      failed and "The reason is in " .. base .. ".otio.error.txt" or "Faceplate monitor shows how far it is")
  end
  for number = 1, 50 do -- None, and nothing else, says that the name is taken
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
