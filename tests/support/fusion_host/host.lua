-- The objects that a Fuse sees. `python` has the work; every name that is not documented is an error.
local python = ...
local ffi = require("ffi")

local host = {}
local function set(...)
  local found = {}
  for _, name in ipairs({ ... }) do
    found[name] = true
  end
  return found
end

local REGISTER = set(
  "REGS_Name", "REGS_Category", "REGS_OpIconString", "REGS_OpDescription", "REGS_Company", "REGS_URL", "REG_Version", "REG_TimeVariant",
  "REG_Unpredictable", "REG_NoAutoProxy", "REG_NoMotionBlurCtrls", "REG_NoBlendCtrls", "REG_NoObjMatCtrls", "REG_NoCommonCtrls",
  "REG_OpNoMask", "REG_Fuse_NoEdit", "REG_Fuse_NoReload", "REG_SupportsDoD", "REG_NoPreCalcProcess"
)
local INPUT = set(
  "LINKID_DataType", "LINK_Main", "LINKS_Name", "INPID_InputControl", "INP_Default", "INPS_DefaultText", "INPS_StatusText", "INP_MinScale", "INP_MaxScale",
  "INP_MinAllowed", "INP_MaxAllowed", "INP_Integer", "INP_External", "INP_Passive", "INP_InteractivePassive", "INP_DoNotifyChanged", "INP_Required",
  "IC_Visible", "ICD_Width", "ICS_Name", "IC_ControlGroup", "IC_ControlID", "CLRC_ShowWheel", "CCS_AddString", "BTNCS_Execute", "FC_IsSaver",
  "FC_ClipBrowse", "FC_PathBrowse", "TEC_Lines", "TEC_Wrap", "TEC_ReadOnly", "LBLC_MultiLine"
)
local CONTROLS = set(
  "SliderControl", "ScrewControl", "CheckboxControl", "ColorControl", "ComboControl", "ButtonControl", "FileControl", "TextEditControl", "LabelControl"
)
local TYPES = set("Image", "Number", "Text", "Point")
local IMAGE = set(
  "IMG_Like", "IMG_Document", "IMG_Width", "IMG_Height", "IMG_Depth", "IMG_XScale", "IMG_YScale", "IMAT_OriginalWidth", "IMAT_OriginalHeight",
  "IMG_Quality", "IMG_ProxyScale", "IMG_DataWindow", "IMG_ValidWindow", "IMG_NoData"
)
local MEMBERS = set(
  "Width", "Height", "OriginalWidth", "OriginalHeight", "XScale", "YScale", "ProxyScale", "Depth", "DataWindow", "ValidWindow", "Metadata"
)

local function known(given, allowed, what)
  for key in pairs(given) do
    if type(key) == "string" and not allowed[key] then
      error(what .. " knows no " .. key, 3)
    end
  end
end

-- ---------------------------------------------------------------- images

local image_methods, image_meta = {}, {}
local function wrap(picture)
  return setmetatable({ picture = picture }, image_meta)
end
local function unwrap(image, what)
  assert(getmetatable(image) == image_meta, (what or "this") .. " wants an Image")
  return rawget(image, "picture")
end
host.wrap, host.unwrap = wrap, unwrap

function image_meta.__index(image, key)
  if image_methods[key] then
    return image_methods[key]
  end
  if not MEMBERS[key] then
    error("an Image has no " .. tostring(key), 2)
  end
  return python.member(rawget(image, "picture"), key)
end
function image_meta.__newindex(_, key)
  error("an Image's " .. tostring(key) .. " cannot be set", 2)
end

local function target(dest, like)
  if dest == nil then
    return python.like(like, nil, nil, nil)
  end
  return unwrap(dest)
end

function image_methods.CopyOf(image)
  return wrap(python.copy(unwrap(image)))
end
image_methods.Copy = image_methods.CopyOf
function image_methods.Clear(image)
  python.clear(unwrap(image))
end
function image_methods.Crop(image, dest, options)
  known(options, set("CROP_XOffset", "CROP_YOffset"), "Crop")
  local into = target(dest, unwrap(image))
  python.crop(unwrap(image), into, options.CROP_XOffset, options.CROP_YOffset)
  return dest or wrap(into)
end
function image_methods.Resize(image, dest, options)
  known(options, set("RSZ_Filter", "RSZ_Width", "RSZ_Height"), "Resize")
  python.resize(unwrap(image), unwrap(dest), options.RSZ_Filter, options.RSZ_Width, options.RSZ_Height)
  return dest
end
function image_methods.ErodeDilate(image, dest, options)
  known(options, set("ErDl_Filter", "ErDl_AmountX", "ErDl_AmountY", "ErDl_Red", "ErDl_Green", "ErDl_Blue", "ErDl_Alpha"), "ErodeDilate")
  assert(set("Box", "Linear", "Gaussian", "Circle")[options.ErDl_Filter], "no such filter")
  assert(options.ErDl_Filter ~= "Circle" or options.ErDl_AmountX * options.ErDl_AmountY > 0, "a circle wants both of one sign")
  local into = target(dest, unwrap(image))
  python.erode_dilate(unwrap(image), into, options.ErDl_AmountX, options.ErDl_AmountY)
  return dest or wrap(into)
end
function image_methods.Blur(image, dest, options)
  known(options, set("BLUR_Type", "BLUR_XSize", "BLUR_YSize", "BLUR_Red", "BLUR_Green", "BLUR_Blue", "BLUR_Alpha", "BLUR_Blend"), "Blur")
  assert(set("Box", "Soften", "Bartlett", "Sharpen", "Gaussian")[options.BLUR_Type], "no such blur")
  local into = target(dest, unwrap(image))
  python.blur(unwrap(image), into, options.BLUR_XSize, options.BLUR_YSize)
  return dest or wrap(into)
end

-- The function runs elsewhere: only its code gets there, and of the outside only what is in env.
function image_methods.MultiProcessPixels(image, init, env, x0, y0, x1, y1, ...)
  local sources = { ... }
  local func = table.remove(sources)
  assert(init == nil and type(env) == "table" and type(func) == "function" and #sources >= 1, "MultiProcessPixels wants other arguments")
  assert(x0 == 0 and y0 == 0, "whether the range is a size or an end is documented both ways: begin at 0, 0")
  local given = {}
  for key, value in pairs(env) do
    assert(type(value) == "number", "only numbers are sure to reach another thread, not " .. tostring(key))
    given[key] = value
  end
  setmetatable(given, { __index = function(_, key) error("a pixel function knows no " .. tostring(key), 2) end })
  local there = setfenv(assert(loadstring(string.dump(func))), given)
  local out = unwrap(image)
  local dest, width, height = python.open(out, x1, y1, true)
  local to = ffi.cast("float *", tonumber(dest))
  local from, pixels = {}, {}
  for i, source in ipairs(sources) do
    local address, w, h = python.open(unwrap(source), x1, y1, false)
    assert(w == width and h == height, "images differ in size")
    from[i], pixels[i] = ffi.cast("float *", tonumber(address)), { R = 0, G = 0, B = 0, A = 0 }
  end
  for y = 0, y1 - 1 do
    for x = 0, x1 - 1 do
      local at = (y * width + x) * 4
      for i = 1, #from do
        local p = pixels[i]
        p.R, p.G, p.B, p.A = from[i][at], from[i][at + 1], from[i][at + 2], from[i][at + 3]
      end
      local p = there(x, y, unpack(pixels))
      to[at], to[at + 1], to[at + 2], to[at + 3] = p.R, p.G, p.B, p.A
    end
  end
  python.close(out, x1, y1)
end

function host.Image(attributes)
  known(attributes, IMAGE, "Image")
  local a = attributes
  if a.IMG_Like then
    return wrap(python.like(unwrap(a.IMG_Like), a.IMG_Depth, a.IMG_Width, a.IMG_Height))
  end
  assert(a.IMG_Document and a.IMG_Quality ~= nil, "an Image wants IMG_Like, or IMG_Document and IMG_Quality")
  return wrap(python.new(a.IMG_Width, a.IMG_Height, a.IMG_Depth, a.IMAT_OriginalWidth, a.IMAT_OriginalHeight, a.IMG_ProxyScale or 1))
end

local clip_methods = {}
clip_methods.__index = function(_, key)
  return clip_methods[key] or error("a Clip has no " .. tostring(key), 2)
end
function host.Clip(path, saving)
  assert(type(path) == "string" and not saving)
  return setmetatable({ path = path, opened = false }, clip_methods)
end
function clip_methods.Open(clip)
  clip.opened = python.exists(clip.path)
  return clip.opened
end
function clip_methods.GetFrame(clip, number)
  assert(clip.opened and number == 0, "a Clip of one picture is opened, and has frame 0")
  local picture = python.read(clip.path)
  return picture and wrap(picture)
end
function clip_methods.Close(clip)
  assert(clip.opened)
  clip.opened = false
end

-- ---------------------------------------------------------------- the tool

local input_methods = {}
input_methods.__index = function(_, key)
  return input_methods[key] or error("an Input has no " .. tostring(key), 2)
end
function input_methods.GetValue(input, req)
  assert(req and req.Time, "GetValue wants the request")
  if rawget(input, "type") == "Image" then
    return rawget(input, "value")
  end
  return { Value = rawget(input, "value") }
end
function input_methods.SetAttrs(input, attributes)
  known(attributes, INPUT, "SetAttrs")
  for key, value in pairs(attributes) do
    input.attributes[key] = value
  end
end

local output_methods = {}
output_methods.__index = function(_, key)
  return output_methods[key] or error("an Output has no " .. tostring(key), 2)
end
function output_methods.Set(output, req, image)
  assert(req and req.Time)
  rawset(output, "set", unwrap(image, "an Output"))
end

function host.new_tool(name, comp)
  local tool = { inputs = {}, order = {}, outputs = {}, page = "Controls" }
  local methods = { Name = name, Comp = comp, Status = "OK" }
  function methods.AddControlPage(_, page)
    tool.page = page
  end
  function methods.AddInput(_, label, id, a)
    known(a, INPUT, "AddInput")
    assert(type(label) == "string" and type(id) == "string" and id:match("^%a%w*$"), "an input wants a label and an id")
    assert(not tool.inputs[id], "there is an input " .. id .. " already")
    assert(TYPES[a.LINKID_DataType], "no such type")
    if a.LINKID_DataType ~= "Image" then
      assert(CONTROLS[a.INPID_InputControl], "no control " .. tostring(a.INPID_InputControl))
    end
    for _, entry in ipairs(a) do
      known(entry, INPUT, "AddInput")
    end
    local value = a.INP_Default
    if a.LINKID_DataType == "Text" then
      value = a.INPS_DefaultText or ""
    elseif a.LINKID_DataType == "Number" and value == nil then
      value = 0
    end
    local input = setmetatable({ id = id, label = label, page = tool.page, attributes = a, type = a.LINKID_DataType, value = value }, input_methods)
    tool.inputs[id], tool.order[#tool.order + 1] = input, id
    return input
  end
  function methods.AddOutput(_, label, id, a)
    known(a, INPUT, "AddOutput")
    assert(a.LINKID_DataType == "Image" and a.LINK_Main)
    local output = setmetatable({ id = id, label = label }, output_methods)
    tool.outputs[id] = output
    return output
  end
  tool.self = setmetatable({}, {
    __index = function(_, key)
      return methods[key] or error("a Fuse has no self." .. tostring(key), 2)
    end,
  })
  return tool
end

function host.set(tool, id, value)
  local input = tool.inputs[id] or error("there is no input " .. id)
  if input.type == "Image" then
    input.value = wrap(value)
    return
  end
  local a = input.attributes
  if input.type == "Number" then
    value = math.min(math.max(value, a.INP_MinAllowed or value), a.INP_MaxAllowed or value)
    if a.INP_Integer then
      value = math.floor(value + 0.5)
    end
  end
  input.value = value
  if a.INP_DoNotifyChanged and tool.env.NotifyChanged then
    tool.env.NotifyChanged(input, { Value = value }, 0)
  end
end

function host.value(tool, id)
  return rawget(tool.inputs[id], "value")
end

function host.request(time, precalc, region)
  local methods = { Time = time, BaseTime = time }
  function methods.IsPreCalc() return precalc end
  function methods.IsQuick() return false end
  function methods.IsStampOnly() return false end
  function methods.GetTime() return time end
  function methods.GetRoI() return region end
  return setmetatable({}, { __index = function(_, key) return methods[key] or error("a Request has no " .. tostring(key), 2) end })
end

function host.process(tool, time, precalc, region)
  for _, output in pairs(tool.outputs) do
    rawset(output, "set", nil)
  end
  tool.env.Process(host.request(time, precalc, region))
  return tool.outputs.Output.set, rawget(tool.outputs.Patch, "set"), rawget(tool.outputs.Matte, "set")
end

-- ---------------------------------------------------------------- where Lua runs

local FULL = { "io", "os", "require", "package", "debug" }
local ALWAYS = {
  "string", "table", "math", "pairs", "ipairs", "next", "type", "tostring", "tonumber", "pcall", "error", "assert", "select", "unpack", "setfenv",
  "getfenv", "setmetatable", "getmetatable", "rawget", "rawset", "loadstring", "loadfile", "jit",
}
local MAYBE = set("io", "os", "require", "package", "debug", "ffi", "bmd", "fusion", "fu", "comp", "tool", "jit", "app", "NotifyChanged")

-- kind: "full", or "sandbox" as the free edition 21.1 has it. more: what else a script sees there.
function host.environment(kind, more)
  local env = { bmd = {
    fileexists = python.exists, direxists = python.folder, createuuid = python.uuid, wait = python.wait, executebg = os.execute, openurl = python.print,
    readfile = python.exists, writefile = python.exists, readdir = python.exists,
  } }
  for _, name in ipairs(ALWAYS) do
    env[name] = _G[name]
  end
  if kind == "full" then
    for _, name in ipairs(FULL) do
      env[name] = _G[name]
    end
    env.ffi = ffi
  else
    env.os = {}
    for name, value in pairs(os) do
      env.os[name] = value
    end
    for _, name in ipairs({ "execute", "remove", "rename" }) do
      env.os[name] = nil
    end
    for _, name in ipairs({ "readdir", "readfile", "writefile" }) do
      env.bmd[name] = nil
    end
  end
  env.print = python.print
  for key, value in pairs(more or {}) do
    env[key] = value
  end
  env._G = env
  return setmetatable(env, {
    __index = function(_, key)
      if not MAYBE[key] then
        error("there is no global " .. tostring(key), 2)
      end
    end,
  })
end

function host.load_fuse(text, kind, name, comp)
  local registered
  local env = host.environment(kind, { CT_Tool = "CT_Tool", Image = host.Image, Clip = host.Clip })
  env.FuRegisterClass = function(id, class, attributes)
    known(attributes, REGISTER, "FuRegisterClass")
    assert(class == "CT_Tool" and attributes.REGS_Category and attributes.REGS_OpIconString and attributes.REGS_OpDescription)
    registered = { id = id, attributes = attributes }
  end
  setfenv(assert(loadstring(text, "=" .. name)), env)()
  assert(registered, "FuRegisterClass was not called")
  local tool = host.new_tool(name, comp)
  tool.env, tool.registered = env, registered
  env.self = tool.self
  env.Create()
  return tool
end

-- ---------------------------------------------------------------- what a button's script sees

local function strict(what, methods)
  return setmetatable({}, { __index = function(_, key) return methods[key] or error(what .. " has no " .. tostring(key), 2) end })
end

-- A node above: its id, what GetInput tells, the clip of a Loader, and the node above it.
local function node_of(id, get, set, clip, above)
  local node
  node = strict("a tool", {
    GetInput = function(_, name) return get(name) end,
    SetInput = function(_, name, value) set(name, value) end,
    GetAttrs = function() return { TOOLS_RegID = id, TOOLST_Clip_Name = clip and { clip } } end,
    FindMainInput = function(_, number)
      assert(number == 1)
      return strict("an input", { GetConnectedOutput = function()
        return above and strict("an output", { GetTool = function() return above end })
      end })
    end,
  })
  return node
end

function host.above(id, values, clip, above)
  return node_of(id, function(name) return values[name] end, function() error("not its own") end, clip, above)
end

function host.scripts(tool, above, about)
  local stored = {}
  local comp = {
    CurrentTime = about.time,
    GetAttrs = function() return { COMPN_RenderStart = about.first, COMPN_RenderEnd = about.last } end,
    GetPrefs = function(_, name)
      assert(name == "Comp.FrameFormat.Rate")
      return about.rate
    end,
    MapPath = function(_, path) return path end,
  }
  local application = {
    SetPrefs = function(_, name, value) stored[name] = value end,
    SavePrefs = function()
      stored.saved = true
      python.save(stored["Global.FaceplatePost"])
    end,
  }
  local this = node_of("Fuse." .. tool.registered.id, function(name)
    local input = tool.inputs[name]
    return input and rawget(input, "value")
  end, function(name, value) host.set(tool, name, value) end, nil, above)
  comp.ActiveTool = this
  return { tool = not about.active and this or nil, comp = strict("a comp", comp), fusion = strict("Fusion", application) }, stored
end

-- Another system: its name, and a shell that only takes note.
function host.pretend(more, system, note)
  more.jit = { os = system }
  more.os = { getenv = os.getenv, time = os.time, execute = function(line) note(line) return 0 end }
end

function host.run(text, kind, more)
  setfenv(assert(loadstring(text, "=button")), host.environment(kind, more))()
end

return host
