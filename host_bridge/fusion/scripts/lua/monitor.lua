-- Open the page that shows all jobs. The watcher opens it: only it knows the engine's address, which is a secret of this user's.

main(function()
  need_watching()
  if can_write then
    local id = new_id()
    local file = io.open(CONFIG.folder .. "/." .. id .. ".part", "wb")
    if not file then problem("cannot write into " .. CONFIG.folder, "Check the folder") end
    file:write(json({ open = "monitor" }))
    file:close()
    os.rename(CONFIG.folder .. "/." .. id .. ".part", CONFIG.folder .. "/" .. id .. ".json")
  else
    post(new_id(), { open = "monitor" })
    wait(3) -- until it is read
  end
  print("Faceplate: the monitor opens in your browser")
end)
