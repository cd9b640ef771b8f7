-- Asks Postern about each request. What it answers is set on the request, or left in variables for the configuration.

local ADDRESS = os.getenv("GATEWAY_POSTERN")
local SECRET = os.getenv("GATEWAY_SECRET")
local SCHEME = os.getenv("GATEWAY_SCHEME")

local IDENTITY = {
  "Postern-Subject", "Postern-Subject-Type", "Postern-Tenant", "Postern-Scopes", "Postern-Roles",
  "Postern-Credential", "Postern-Credential-Type", "Postern-Client", "Postern-Identity",
}

-- Of this connection, or said by us.
local OURS = {
  ["connection"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["expect"] = true,
  ["upgrade"] = true, ["te"] = true, ["host"] = true, ["postern-gateway-secret"] = true,
  ["x-original-method"] = true, ["x-original-proto"] = true, ["x-original-host"] = true,
  ["x-original-uri"] = true, ["x-original-for"] = true,
}

local function first(headers, name)
  local values = headers and headers[name]
  return values and values[0] or ""
end

core.register_action("postern", { "http-req" }, function(txn)
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not OURS[name] then
      headers[name] = {}
      for index = 0, #values do
        if values[index] ~= nil then table.insert(headers[name], values[index]) end
      end
    end
  end
  headers["host"] = { "postern" }
  headers["postern-gateway-secret"] = { SECRET }
  headers["x-original-method"] = { txn.f:method() }
  headers["x-original-proto"] = { SCHEME }
  headers["x-original-host"] = { txn.f:req_hdr("host") or "" }
  headers["x-original-uri"] = { txn.f:url() }
  headers["x-original-for"] = { txn.f:src() }

  for _, name in ipairs(IDENTITY) do txn.http:req_del_header(name) end
  local answer = core.httpclient():head({
    url = "http://" .. ADDRESS .. "/gateway/haproxy", headers = headers, timeout = 5000,
  })
  local status = answer and answer.status or 503
  txn:set_var("txn.postern_status", status)
  txn:set_var("txn.postern_rate_limit", first(answer and answer.headers, "ratelimit"))
  txn:set_var("txn.postern_rate_limit_policy", first(answer and answer.headers, "ratelimit-policy"))
  if status == 200 then
    for _, name in ipairs(IDENTITY) do
      txn.http:req_set_header(name, first(answer.headers, name:lower()))
    end
  else
    txn:set_var("txn.postern_location", first(answer and answer.headers, "location"))
    txn:set_var("txn.postern_challenge", first(answer and answer.headers, "www-authenticate"))
    txn:set_var("txn.postern_retry_after", first(answer and answer.headers, "retry-after"))
  end
end, 0)
