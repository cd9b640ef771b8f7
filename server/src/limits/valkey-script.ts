/**
 * The rules of bucket.ts in Lua: one call, and with it one round trip, for all buckets of a decision. Time is Valkey's
 * own, so that nodes need not agree on it. A bucket is a hash: its tokens `t`, their moment `a`, and one field for each
 * lease on it.
 */
import { LEASE_MARGIN_MS, LEASE_MS } from './bucket.ts'

/**
 * KEYS[1] says since when this Valkey remembers: whatever is not there was never spent only if it got its limits later
 * (`rsn`), and otherwise holds what has refilled since, less what leases from before may still spend.
 */
const COMMON = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = redis.call('HMGET', KEYS[1], 'at', 'rsn')
if not since[1] then
  since = { now + ${LEASE_MS + LEASE_MARGIN_MS}, ARGV[1] }
  redis.call('HSET', KEYS[1], 'at', since[1], 'rsn', since[2])
end
local function load(key, rate, burst, rsn)
  local fields = redis.call('HGETALL', key)
  local bucket = { leases = {}, out = 0, count = 0 }
  for index = 1, #fields, 2 do
    local name, value = fields[index], fields[index + 1]
    if name == 't' then bucket.tokens = tonumber(value)
    elseif name == 'a' then bucket.at = tonumber(value)
    else
      local id, granted, returned, outstanding, ends = value:match('^(%S+) (%S+) (%S+) (%S+) (%S+)$')
      if tonumber(ends) <= now then redis.call('HDEL', key, name)
      else
        bucket.leases[name] = { id = id, granted = tonumber(granted), returned = tonumber(returned), outstanding = tonumber(outstanding) }
        bucket.out = bucket.out + tonumber(outstanding)
        bucket.count = bucket.count + 1
      end
    end
  end
  if not bucket.tokens then
    if rsn >= tonumber(since[2]) then bucket.tokens = burst
    else bucket.tokens = math.min(burst, (now - tonumber(since[1])) * rate) end
  else
    bucket.tokens = bucket.tokens + math.max(0, now - bucket.at) * rate
  end
  bucket.tokens = math.min(bucket.tokens, burst - bucket.out)
  return bucket
end
local function save(key, bucket, rate, burst)
  redis.call('HSET', key, 't', string.format('%.9g', bucket.tokens), 'a', now)
  redis.call('PEXPIRE', key, math.ceil((burst - bucket.tokens) / rate) + ${2 * (LEASE_MS + LEASE_MARGIN_MS)})
end
`

/** ARGV: position, cost, then for each bucket its rate (per ms), burst, rsn and what it owes. */
export const TAKE = `${COMMON}
local cost = tonumber(ARGV[2])
local buckets = {}
local ok = 1
for index = 2, #KEYS do
  local from = 3 + (index - 2) * 4
  local rate, burst, rsn, owes = tonumber(ARGV[from]), tonumber(ARGV[from + 1]), tonumber(ARGV[from + 2]), tonumber(ARGV[from + 3])
  local bucket = load(KEYS[index], rate, burst, rsn)
  bucket.tokens = bucket.tokens - owes
  bucket.rate, bucket.burst, bucket.owes = rate, burst, owes
  buckets[index - 1] = bucket
  if bucket.tokens < cost then ok = 0 end
end
local answer = { ok }
for index, bucket in ipairs(buckets) do
  if ok == 1 then bucket.tokens = bucket.tokens - cost end
  if ok == 1 or bucket.owes ~= 0 then save(KEYS[index + 1], bucket, bucket.rate, bucket.burst) end
  answer[index + 1] = string.format('%.9g', bucket.tokens)
end
return answer
`

/** ARGV: position, rate, burst, rsn, holder, id, granted, spent, returned, want, an id for a new lease. */
export const LEASE = `${COMMON}
local rate, burst, rsn = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local holder, id = 'l' .. ARGV[5], ARGV[6]
local granted, spent, returned, want = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local bucket = load(KEYS[2], rate, burst, rsn)
local lease = bucket.leases[holder]
if lease and lease.id == id then
  local held = math.max(0, math.min(granted, lease.granted) - spent - returned)
  bucket.tokens = bucket.tokens + math.max(0, math.min(returned - lease.returned, lease.outstanding - held))
  lease.returned = math.max(lease.returned, returned)
  lease.outstanding = math.min(lease.outstanding, held)
  lease.granted = math.min(granted, lease.granted)
else
  if not lease then bucket.count = bucket.count + 1 end
  lease = { id = ARGV[11], granted = 0, returned = 0, outstanding = 0 }
end
local more = math.max(0, math.min(want, math.floor(bucket.tokens)))
bucket.tokens = bucket.tokens - more
lease.granted = lease.granted + more
lease.outstanding = lease.outstanding + more
if lease.outstanding == 0 then redis.call('HDEL', KEYS[2], holder)
else
  redis.call('HSET', KEYS[2], holder, table.concat({ lease.id, lease.granted, lease.returned, lease.outstanding, now + ${LEASE_MS + LEASE_MARGIN_MS} }, ' '))
end
save(KEYS[2], bucket, rate, burst)
return { lease.id, lease.granted, string.format('%.9g', bucket.tokens), bucket.count }
`
