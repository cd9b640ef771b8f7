-- Asks Postern about each request. What it answers is set on the request, or is the answer to the client.

local http = require("socket.http")
local ltn12 = require("ltn12")
http.TIMEOUT = 5

local ADDRESS = os.getenv("GATEWAY_POSTERN")
local SECRET = os.getenv("GATEWAY_SECRET")
local SCHEME = os.getenv("GATEWAY_SCHEME")
local COOKIE = os.getenv("GATEWAY_COOKIE")

local SIGN_IN = { ["/.postern/sign-in"] = true, ["/.postern/callback"] = true, ["/.postern/sign-out"] = true }

local IDENTITY = {
  "Postern-Subject", "Postern-Subject-Type", "Postern-Tenant", "Postern-Scopes", "Postern-Roles",
  "Postern-Credential", "Postern-Credential-Type", "Postern-Client", "Postern-Identity",
}

-- Of this connection, or said by us.
local OURS = {
  ["content-length"] = true, ["transfer-encoding"] = true, ["expect"] = true, ["upgrade"] = true, ["te"] = true,
  ["host"] = true, ["postern-gateway-secret"] = true, ["x-original-method"] = true, ["x-original-proto"] = true,
  ["x-original-host"] = true, ["x-original-uri"] = true, ["x-original-for"] = true,
}

-- Whatever Connection lists is taken out of the request after identity was put in: Postern refuses what matters.
local function headers_of(r)
  local headers = {}
  for name, value in pairs(r:headers_in_table()) do
    if not OURS[name:lower()] then headers[name] = value end
  end
  headers["host"] = "postern"
  headers["postern-gateway-secret"] = SECRET
  headers["x-original-method"] = r.method
  headers["x-original-proto"] = SCHEME
  headers["x-original-host"] = r.headers_in["Host"] or ""
  headers["x-original-uri"] = r.unparsed_uri
  headers["x-original-for"] = r.useragent_ip
  return headers
end

local function without_cookie(text)
  local kept = {}
  for pair in text:gmatch("[^;]+") do
    local trimmed = pair:gsub("^%s+", "")
    if trimmed:sub(1, #COOKIE + 1) ~= COOKIE .. "=" then table.insert(kept, trimmed) end
  end
  return table.concat(kept, "; ")
end

function ask(r)
  if SIGN_IN[r.uri] then return apache2.DECLINED end
  local _, status, answer = http.request({
    method = "HEAD", url = "http://" .. ADDRESS .. "/gateway/haproxy", headers = headers_of(r), redirect = false,
  })
  if type(status) ~= "number" then return 503 end
  for _, name in ipairs({ "ratelimit", "ratelimit-policy" }) do
    if answer[name] then r.err_headers_out[name] = answer[name] end
  end
  if status ~= 200 then
    for _, name in ipairs({ "location", "www-authenticate", "retry-after" }) do
      if answer[name] then r.err_headers_out[name] = answer[name] end
    end
    return status
  end
  -- The credential of the outside stays outside.
  r.headers_in["Authorization"] = nil
  r.headers_in["X-API-Key"] = nil
  r.headers_in["DPoP"] = nil
  r.headers_in["Postern-Gateway-Secret"] = nil
  local cookie = r.headers_in["Cookie"]
  if cookie then r.headers_in["Cookie"] = without_cookie(cookie) end
  for _, name in ipairs(IDENTITY) do r.headers_in[name] = answer[name:lower()] or "" end
  return apache2.DECLINED
end
