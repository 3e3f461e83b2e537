-- Give the whole timeline to Faceplate: Resolve writes it as OpenTimelineIO into the watched folder.

main(function()
  need_watching()
  local path = CONFIG.folder .. "/" .. file_name(context.timeline:GetName()) .. ".otio"
  if not context.timeline:Export(path, context.resolve.EXPORT_OTIO, context.resolve.EXPORT_NONE) then
    problem("Resolve could not write " .. path, "Export it by hand: File > Export > Timeline, as OTIO, into that folder")
  end
  say("the timeline was given to Faceplate. When it is done, start Import result timeline")
end)
