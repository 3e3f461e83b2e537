-- Replace the face in the chosen clips. Started again while it works, or later, it fetches what is done meanwhile: the engine does nothing twice.

local function request_for(plate, source)
  local take = PLACE == "take"
  local request = {
    plate = plate.plate, source = source, range = plate.from .. "-" .. plate.to, overlay = not take, frames = take,
    -- A folder of its own: what lies above a clip already must not go when a take is rendered.
    out = results_folder() .. "/" .. file_name(plate.name) .. "-" .. plate.from .. "-" .. plate.to .. (take and "-take" or ""),
    tracks = plate.cast.tracks,
  }
  if plate.sequence then request.rate = tostring(plate.rate) end
  local model = training_folder(source, plate.path) .. "/model/model.onnx"
  local swap = cast_parameters(plate.cast, exists(model) and { model = model } or nil)
  if swap then request.settings = { swap = swap } end
  return request
end

main(function()
  local plates, jobs, asked, told, done = {}, {}, {}, {}, 0
  for _, item in ipairs(chosen()) do
    local fit, plate = pcall(function()
      local plate = shown(item)
      plate.cast = cast_of(item)
      return plate
    end)
    if fit then
      plates[#plates + 1] = plate
    else
      if type(plate) ~= "table" then error(plate, 0) end
      told[#told + 1] = plate.what .. ". " .. plate.remedy
    end
  end
  if #plates == 0 then problem(table.concat(told, ". ")) end
  local source = source_footage(plates)[1]
  for index, plate in ipairs(plates) do
    local request = request_for(plate, source)
    jobs[index] = { name = "clip-" .. index, kind = "swap", request = request }
    local swap = request.settings and request.settings.swap
    asked[index] = { name = plate.name, request = { plate = plate.plate, source = source, near = results_folder(), swap = swap } }
  end
  need_consent(asked)
  local id, stop = submit(jobs), os.time() + CONFIG.wait
  for index, plate in ipairs(plates) do
    local status = answer(id, jobs[index].name, math.max(stop - os.time(), 1))
    if status and status.state == "finished" then
      local put, why = pcall(PLACES[PLACE], plate, status.result)
      if put then
        done = done + 1
      else
        if type(why) ~= "table" then error(why, 0) end
        told[#told + 1] = why.what .. ". " .. why.remedy
      end
    elseif status and status.state == "failed" then
      told[#told + 1] = plate.name .. ": " .. status.error.message .. " " .. (status.error.remedy or "")
    else
      told[#told + 1] = plate.name .. ": the engine is still at it. Start this script again later to fetch it"
    end
  end
  table.insert(told, 1, done .. " of " .. (#plates) .. " clips have their new face")
  say(table.concat(told, ". "))
end)
