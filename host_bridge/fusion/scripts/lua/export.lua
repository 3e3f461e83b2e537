-- Give the whole timeline to Faceplate, with who is put in. Resolve itself writes it as OpenTimelineIO, which the sandbox allows.

main(function()
  local base = CONFIG.folder .. "/edits/" .. file_name(context.timeline:GetName())
  local path = base .. ".otio"
  need_watching()
  if not context.timeline:Export(path, context.resolve.EXPORT_OTIO, context.resolve.EXPORT_NONE) then
    problem("Resolve could not write " .. path, "Export it by hand, File > Export > Timeline as OTIO, into " .. CONFIG.folder)
  end
  local request = {
    edit = path, out = base .. ".faceplate", export = { profile = "resolve", out = base .. ".faceplate.otio" },
    run = { method = CONFIG.method }, train = { minutes = CONFIG.minutes },
  }
  local chosen_source, sources = pcall(source_footage, {}) -- where there is none, markers in the timeline say it
  if chosen_source then
    local name = stem(sources[1])
    request.performers, request.source = { [name] = sources }, name
  end
  submit({ { name = "timeline", kind = "timeline", request = request } })
  if not can_write then wait(5) end -- until the post is read
  say("the timeline was given to Faceplate. When Faceplate monitor says it is done, Import result timeline")
end)
