-- Take back what Replace face has put in for the chosen clips. Rendered files stay.

main(function()
  local gone = 0
  for _, item in ipairs(chosen()) do
    local plate = { item = item, name = item:GetName(), start = item:GetStart(false), duration = item:GetDuration(false) }
    gone = gone + take_away(plate)
  end
  say(gone == 0 and "there was nothing to take back" or gone .. (gone == 1 and " result was taken back" or " results were taken back"))
end)
