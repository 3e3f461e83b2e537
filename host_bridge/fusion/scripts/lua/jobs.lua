-- Jobs: a file for `faceplate engine watch`, or where none can be written, a post in Fusion's preferences

local function job_path(id, name, ending)
  return CONFIG.folder .. "/" .. id .. "-" .. name .. ending
end

local function is_watched()
  return load_data(CONFIG.folder .. "/.faceplate-watching.lua") == true
end

local function watch_command(quote)
  return table.concat({ quote(CONFIG.python), "-P", "-m", "host_bridge.cli", "engine", "watch", quote(CONFIG.folder) }, " ")
end

local function start_watching()
  if not can_run then return end
  if SYSTEM == "Windows" then
    os.execute('start "" /B ' .. watch_command(function(text) return '"' .. text .. '"' end))
  else
    local quoted = function(text) return "'" .. text:gsub("'", "'\\''") .. "'" end
    os.execute("nohup " .. watch_command(quoted) .. " > /dev/null 2>&1 &")
  end
  for _ = 1, 40 do
    if is_watched() then return end
    wait(0.5)
  end
end

local function need_watching()
  if not is_watched() then start_watching() end
  if not is_watched() then
    problem(
      "nothing looks after " .. CONFIG.folder,
      "In a terminal, run: faceplate engine watch \"" .. CONFIG.folder .. "\" --resolve; leave it open, and start this script again"
    )
  end
end

local count = 0

local function new_id()
  count = count + 1
  local random = bmd and bmd.createuuid and bmd.createuuid() or tostring({})
  return (os.time() .. "-" .. count .. "-" .. tostring(random):gsub("[^%w]", "")):sub(1, 60)
end

-- By SetPrefs to an empty text it is taken back: nothing of ours stays in the user's preferences.
local function post(id, told)
  local fusion = fusion_object()
  if not fusion then problem("this Lua may neither write files nor set preferences", "Use the hot folder: docs/resolve.md") end
  fusion:SetPrefs("Global.FaceplatePost", id .. ":" .. hex(json(told)))
  fusion:SavePrefs()
end

local function take_back()
  local fusion = not can_write and fusion_object()
  if fusion then
    fusion:SetPrefs("Global.FaceplatePost", "")
    fusion:SavePrefs()
  end
end

-- Ask for jobs, each {name, kind, request}, and return the id under which their answers come.
local function submit(jobs)
  need_watching()
  local id = new_id()
  if not can_write then
    post(id, { jobs = jobs })
    return id
  end
  for _, job in ipairs(jobs) do
    local path = job_path(id, job.name, ".json")
    local partial = CONFIG.folder .. "/." .. id .. "-" .. job.name .. ".part"
    local file, why = io.open(partial, "wb")
    if not file then problem("cannot write into " .. CONFIG.folder .. ": " .. tostring(why), "Check the folder") end
    file:write(json({ kind = job.kind, request = job.request, answer = "lua" }))
    file:close()
    os.rename(partial, path)
  end
  return id
end

-- Wait until a job has ended or the time is over. Returns its status, nil while nobody has taken it.
local function answer(id, name, seconds)
  local path, stop, status = job_path(id, name, ".answer.lua"), os.time() + seconds, nil
  repeat
    status = load_data(path) or status
    if status and status.state ~= "running" then return status end
    wait(0.25)
  until os.time() >= stop
  return status
end

-- Run a script's work, and tell what the user can mend as such.
local function main(work)
  local done, why = xpcall(function() work(open_project()) end, function(why)
    if type(why) == "table" then return why end
    return { what = tostring(why), remedy = "Run Faceplate > Self-check, and send us its report" }
  end)
  take_back()
  if not done then say(why.what .. ". " .. why.remedy .. ".") end
  return done
end
