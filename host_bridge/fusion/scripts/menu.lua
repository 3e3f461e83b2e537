-- What each script of the menu does. Started again while it works, or later, it fetches what is done meanwhile: the engine does nothing twice.

-- The clips of the timeline with footage of their own, results left out.
local function with_footage(items)
  local found = {}
  for _, item in ipairs(items) do
    local path = media_path(item)
    if path and not is_ours(path) then found[#found + 1] = item end
  end
  return found
end

local function replace()
  local items, said, done = chosen(), {}, 0
  local plan = decide(PLACE == "take" and "take" or "replace", items)
  local id, stop = submit(plan.jobs), os.time() + CONFIG.wait
  for index, clip in ipairs(plan.clips) do
    clip.item = items[clip.clip]
    clip.begin, clip.duration = clip.item:GetStart(false), clip.item:GetDuration(false)
    local status = answer(id, plan.jobs[index].name, math.max(stop - os.time(), 1))
    if status and status.state == "finished" then
      local put, why = pcall(PLACES[PLACE], clip, status.result)
      if put then
        done = done + 1
      else
        if type(why) ~= "table" then error(why, 0) end
        said[#said + 1] = why.text:gsub("%.$", "")
      end
    elseif status and status.state == "failed" then
      said[#said + 1] = clip.name .. ": " .. status.error.message .. " " .. (status.error.remedy or "")
    else
      said[#said + 1] = clip.name .. ": the engine is still at it. Start this script again later to fetch it"
    end
  end
  for _, text in ipairs(plan.skipped) do said[#said + 1] = text end
  table.insert(said, 1, done .. " of " .. #plan.clips .. " clips have their new face")
  say(table.concat(said, ". "))
end

-- Take back what Replace face has put in for the chosen clips. Rendered files stay.
local function undo()
  local gone = 0
  for _, item in ipairs(chosen()) do
    gone = gone + take_away({ item = item, name = item:GetName(), begin = item:GetStart(false), duration = item:GetDuration(false) })
  end
  say(gone == 0 and "there was nothing to take back" or gone .. (gone == 1 and " result was taken back" or " results were taken back"))
end

-- Both performers' faces, then a model: each job needs the one before.
local function train()
  local plan = decide("train", with_footage(chosen()))
  for index, job in ipairs(plan.jobs) do
    local id, what = submit({ job }), "The " .. job.name .. "'s faces"
    local status = index < #plan.jobs and answer(id, job.name, CONFIG.wait) or { state = "finished" }
    if status.state == "failed" then problem(what .. ": " .. status.error.message, status.error.remedy or "Look at Faceplate monitor") end
    if status.state ~= "finished" then
      problem(what .. " is still under way", "Look at Faceplate monitor; start this script again when it is done")
    end
  end
  if not can_write then wait(5) end -- until the post is read
  say("the training has begun, for " .. CONFIG.minutes .. " minutes. Faceplate monitor shows it. Replace face uses its model when it is done")
end

-- Give the whole timeline to Faceplate, with who is put in. Resolve itself writes it as OpenTimelineIO, which the sandbox allows.
local function export()
  local path = edit_path() .. ".otio"
  local plan = decide("export", with_footage((items_above(0))))
  if not context.timeline:Export(path, context.resolve.EXPORT_OTIO, context.resolve.EXPORT_NONE) then
    problem("Resolve could not write " .. path, "Export it by hand, File > Export > Timeline as OTIO, into " .. CONFIG.folder)
  end
  submit(plan.jobs)
  if not can_write then wait(5) end -- until the post is read
  say("the timeline was given to Faceplate. When Faceplate monitor says it is done, Import result timeline")
end

-- Bring the result of an export into the project, as a timeline of its own.
local function bring()
  local name, path = context.timeline:GetName(), edit_path() .. ".faceplate.otio"
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
end

-- Open the page that shows all jobs. The watcher opens it: only it knows the engine's address, which is a secret of this user's.
local function monitor()
  need_watching()
  if can_write then
    drop(new_id(), { open = "monitor" })
  else
    post(new_id(), { open = "monitor" })
    wait(3) -- until it is read
  end
  print("Faceplate: the monitor opens in your browser")
end

main(({ replace = replace, undo = undo, train = train, export = export, bring = bring, monitor = monitor })[ACTION])
