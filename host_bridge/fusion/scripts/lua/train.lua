-- Train on the chosen clips: both performers' faces, then a model. Started again it goes on with what is done.

local function finished(id, name, what)
  local status = answer(id, name, CONFIG.wait)
  if status and status.state == "finished" then return status.result end
  if status and status.state == "failed" then
    problem(what .. ": " .. status.error.message, status.error.remedy or "Look at Faceplate monitor")
  end
  problem(what .. " is still under way", "Look at Faceplate monitor; start this script again when it is done")
end

main(function()
  local plates, targets, seen = {}, {}, {}
  for _, item in ipairs(chosen()) do
    local path = media_path(item)
    if path and not is_ours(path) and not seen[path] then
      seen[path] = true
      plates[#plates + 1] = { path = path }
      targets[#targets + 1] = pattern_of(path)
    end
  end
  if #targets == 0 then problem("no chosen clip has footage of its own", "Choose clips of the performer whose face is replaced") end
  local sources = source_footage(plates)
  local out = training_folder(sources[1], plates[1].path)
  local rate = tostring(context.rate)
  local id = submit({
    { name = "source", kind = "faceset", request = { clips = sources, performer = "source", out = out .. "/source", rate = rate } },
    { name = "target", kind = "faceset", request = { clips = targets, performer = "target", out = out .. "/target", rate = rate } },
  })
  finished(id, "source", "The source's faces")
  finished(id, "target", "The target's faces")
  local resume = exists(out .. "/model/losses.csv")
  submit({ {
    name = "train", kind = "train",
    request = {
      facesets = { out .. "/source", out .. "/target" }, out = out .. "/model", train = { minutes = CONFIG.minutes }, resume = resume,
    },
  } })
  if not can_write then wait(5) end -- until the post is read
  say("the training has begun, for " .. CONFIG.minutes .. " minutes. Faceplate monitor shows it. Replace face uses its model when it is done")
end)
