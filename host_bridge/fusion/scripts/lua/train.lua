-- Train on the chosen clips: both performers' faces, then a model. Started again it goes on with what is done.

local function finished(id, name, what)
  local status = answer(id, name, CONFIG.wait)
  if status and status.state == "finished" then return status.result end
  if status and status.state == "failed" then
    problem(what .. ": " .. status.error.message, status.error.remedy or "Look at Faceplate monitor")
  end
  problem(what .. " is still under way", "Look at Faceplate monitor; start this script again when it is done")
end

-- One cast for all chosen clips: a model is of one pair.
local function one_cast(items)
  local cast = {}
  for _, item in ipairs(items) do
    for role, name in pairs(cast_of(item)) do
      if role ~= "tracks" and cast[role] and cast[role] ~= name then
        problem("the chosen clips are of two performers, " .. cast[role] .. " and " .. name, "Choose the clips of one pair")
      end
      cast[role] = name
    end
  end
  return cast
end

main(function()
  local items, plates, targets, seen = chosen(), {}, {}, {}
  for _, item in ipairs(items) do
    local path = media_path(item)
    if path and not is_ours(path) and not seen[path] then
      seen[path] = true
      plates[#plates + 1] = { path = path }
      targets[#targets + 1] = pattern_of(path)
    end
  end
  if #targets == 0 then problem("no chosen clip has footage of its own", "Choose clips of the performer whose face is replaced") end
  local sources, cast = source_footage(plates), one_cast(items)
  local out = training_folder(sources[1], plates[1].path)
  local asked = {}
  for index = 1, math.max(#sources, #targets) do
    local target, source = targets[math.min(index, #targets)], sources[math.min(index, #sources)]
    local request = { plate = target, source = source, near = out, train = true, swap = cast_parameters(cast) }
    asked[index] = { name = called(source) .. " on " .. called(target), request = request }
  end
  need_consent(asked)
  local rate = tostring(context.rate)
  -- A faceset is called after its performer where one is named, else after its footage; two must not be called alike.
  local who = { source = cast.source or called(sources[1]), target = cast.target or called(targets[1]) }
  if who.source == who.target then who = { source = who.source .. " (source)", target = who.target .. " (target)" } end
  local function faceset(role, clips)
    local request = { clips = clips, performer = who[role], named = cast[role], out = out .. "/" .. role, rate = rate }
    return { name = role, kind = "faceset", request = request }
  end
  local id = submit({ faceset("source", sources), faceset("target", targets) })
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
