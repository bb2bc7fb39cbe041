"""What a Redis server does for leases, in Lua: one script for each method, each one step.

Law: every script first looks whether the server has forgotten something, and takes away the leases that have run out.
Time is the server's (`TIME`). Whoever might have a slot that the server has forgotten is waited for.

How it knows: `state` has an epoch, made up when it was made, and the run of the server, made up at its start. A caller
says which epoch he knows. No state though somebody knows one, an epoch that is younger than what somebody knows, keys
that do not fit each other, or another run (a restart, a replica that took over): for the length of the longest lease
no slot is given then. Leases that were forgotten have run out by then, and their owners have stopped.
"""

from typing import Final

from .server import Script

KEYS: Final = ("state", "leases", "until", "order", "ids", "tickets", "gone", "cooling", "room")
"""state: a hash, see above. leases: by generation {id, ticket, owner, status, created, touched}. until, order:
generations by when they run out, and by themselves. ids: by id its generations. tickets: generations by ticket. gone:
tickets that were released or taken away. cooling: ids that are refused. room: never there. Times are in microseconds
since 1970, generations in tenths of milliseconds, or one more than the last: so they never fall back."""

# a server without memory left refuses a script that begins with a write that may need some, and lets all others end
_IF_THERE_IS_ROOM: Final = "redis.call('SETRANGE', KEYS[9], 0, '')"
_ANYHOW: Final = "redis.call('DEL', KEYS[9])"

_FIRST: Final = r"""
local STATE, LEASES, UNTIL, ORDER, IDS, TICKETS, GONE, COOLING = unpack(KEYS)
local run, started, known, span, fresh = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local forgetful = ARGV[6] == '1'
local FORGET = 600 * 1000000
local STAY = 30 * 86400
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function text(number) return string.format('%.0f', number) end

local state = redis.call('HMGET', STATE, 'epoch', 'run', 'held', 'latest', 'span', 'born', 'waits')
local epoch, waits, latest = state[1], tonumber(state[7] or '0'), tonumber(state[4] or '0')
span = math.max(span, tonumber(state[5] or '0'))
local held, there = tonumber(state[3] or '0'), redis.call('ZCARD', UNTIL)
local alive = latest > now
local fits = there == held and there == redis.call('ZCARD', ORDER) and there == redis.call('HLEN', LEASES)
  and there == redis.call('HLEN', TICKETS) and (there > 0) == (redis.call('EXISTS', IDS) == 1)
if not epoch or (alive and not fits) then
  local newest = redis.call('ZREVRANGE', UNTIL, 0, 0, 'WITHSCORES')
  if redis.call('DEL', LEASES, UNTIL, ORDER, IDS, TICKETS) > 0 or epoch or known ~= '' then
    waits = math.max(waits, now + span, tonumber(newest[2] or '0'))
  end
  epoch, latest, held = fresh, 0, 0
  redis.call('HSET', STATE, 'epoch', epoch, 'run', run, 'held', 0, 'latest', 0, 'born', text(now), 'waits', text(waits))
  redis.call('EXPIRE', STATE, STAY)
elseif state[2] ~= run then
  waits = math.max(waits, now + span)
  redis.call('HSET', STATE, 'run', run, 'waits', text(waits))
elseif known ~= '' and known ~= epoch then
  local over = tonumber(state[6]) + span
  if over > waits then
    waits = over
    redis.call('HSET', STATE, 'waits', text(waits))
  end
end

if held > 0 and not alive then
  redis.call('DEL', LEASES, UNTIL, ORDER, IDS, TICKETS)
  redis.call('HSET', STATE, 'held', 0)
end

local function of(id)
  local found = redis.call('HGET', IDS, id)
  return found and cmsgpack.unpack(found) or {}
end

local function lease_of(generation) return cmsgpack.unpack(redis.call('HGET', LEASES, generation)) end

local function drop(generation)
  local lease = lease_of(generation)
  local rest = {}
  for _, each in ipairs(of(lease[1])) do
    if each ~= generation then rest[#rest + 1] = each end
  end
  if #rest == 0 then
    redis.call('HDEL', IDS, lease[1])
  else
    redis.call('HSET', IDS, lease[1], cmsgpack.pack(rest))
  end
  redis.call('HDEL', LEASES, generation)
  redis.call('HDEL', TICKETS, lease[2])
  redis.call('ZREM', UNTIL, generation)
  redis.call('ZREM', ORDER, generation)
  redis.call('HINCRBY', STATE, 'held', -1)
end

for _, generation in ipairs(redis.call('ZRANGEBYSCORE', UNTIL, '-inf', text(now))) do drop(generation) end

local function bury(ticket)
  redis.call('ZADD', GONE, text(now + FORGET), ticket)
  redis.call('EXPIRE', GONE, FORGET / 1000000)
end

local function keep(generation, lease, length)
  local till = now + length
  redis.call('HSET', LEASES, generation, cmsgpack.pack(lease))
  redis.call('ZADD', UNTIL, text(till), generation)
  latest = math.max(latest, till)
  redis.call('HSET', STATE, 'latest', text(latest), 'span', text(math.max(span, length)))
  span = math.max(span, length)
  for _, key in ipairs({LEASES, UNTIL, ORDER, IDS, TICKETS}) do
    redis.call('PEXPIREAT', key, text(math.ceil(latest / 1000) + 60000))
  end
  redis.call('EXPIRE', STATE, STAY)
end

local function shown(generation)
  local lease = lease_of(generation)
  local till = tonumber(redis.call('ZSCORE', UNTIL, generation))
  return {tonumber(generation), lease[1], lease[3], lease[4], lease[5], lease[6], till - now}
end

local function all(generations)
  local found = {}
  for place, generation in ipairs(generations) do found[place] = shown(generation) end
  return found
end

local function answer(...) return {epoch, span, ...} end
"""

_RESERVE: Final = r"""
local id, ticket, owner = ARGV[7], ARGV[8], ARGV[9]
local capacity, length, allowed, replace = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13] == '1'
redis.call('ZREMRANGEBYSCORE', GONE, '-inf', text(now))
redis.call('ZREMRANGEBYSCORE', COOLING, '-inf', text(now))
if redis.call('ZSCORE', GONE, ticket) then return answer('lost') end
local mine = redis.call('HGET', TICKETS, ticket)
if mine then return answer('held', shown(mine)) end
if forgetful then waits = math.max(waits, started + length) end
if waits > now then return answer('waits', waits - now) end
local cools = redis.call('ZSCORE', COOLING, id)
if cools then return answer('cools', tonumber(cools) - now) end
local others = of(id)
local oldest = #others >= allowed and lease_of(others[1])
if oldest and not replace then return answer('taken', oldest[3], oldest[4]) end
if redis.call('ZCARD', UNTIL) - (oldest and 1 or 0) >= capacity then return answer('full') end
if oldest then
  drop(others[1])
  bury(oldest[2])
end
local generation = text(math.max(math.floor(now / 100), tonumber(redis.call('HGET', STATE, 'generation') or '0') + 1))
redis.call('HSET', STATE, 'generation', generation)
redis.call('HINCRBY', STATE, 'held', 1)
redis.call('ZADD', ORDER, generation, generation)
redis.call('HSET', TICKETS, ticket, generation)
local ours = of(id)
ours[#ours + 1] = generation
redis.call('HSET', IDS, id, cmsgpack.pack(ours))
keep(generation, {id, ticket, owner, 'pending', now, now}, length)
return answer('held', shown(generation))
"""

_RENEW: Final = r"""
local generation = redis.call('HGET', TICKETS, ARGV[8])
local lease = generation and lease_of(generation)
if not lease or lease[1] ~= ARGV[7] then return answer('lost') end
if ARGV[10] ~= '' then lease[4] = ARGV[10] end
if ARGV[11] == '1' then lease[6] = now end
keep(generation, lease, tonumber(ARGV[9]))
return answer('held', shown(generation))
"""

_RELEASE: Final = r"""
local id, ticket, cooldown = ARGV[7], ARGV[8], tonumber(ARGV[9])
redis.call('ZREMRANGEBYSCORE', GONE, '-inf', text(now))
local generation = redis.call('HGET', TICKETS, ticket)
if generation and lease_of(generation)[1] ~= id then return answer(0) end
bury(ticket)
if not generation then return answer(0) end
drop(generation)
if cooldown > 0 then
  local till = math.max(now + cooldown, tonumber(redis.call('ZSCORE', COOLING, id) or '0'))
  redis.call('ZADD', COOLING, text(till), id)
  local last = redis.call('ZREVRANGE', COOLING, 0, 0, 'WITHSCORES')
  redis.call('PEXPIREAT', COOLING, text(math.ceil(tonumber(last[2]) / 1000)))
end
return answer(1)
"""

_REVOKE: Final = r"""
local found = redis.call('HGET', LEASES, ARGV[8])
local lease = found and cmsgpack.unpack(found)
if not lease or lease[1] ~= ARGV[7] then return answer(0) end
drop(ARGV[8])
bury(lease[2])
return answer(1)
"""

_HELD: Final = r"""
return answer(all(of(ARGV[7])))
"""

_LIST: Final = r"""
return answer(all(redis.call('ZRANGEBYSCORE', ORDER, '(' .. ARGV[7], '+inf', 'LIMIT', 0, ARGV[8])))
"""

_COUNT: Final = r"""
return answer(redis.call('ZCARD', UNTIL))
"""

_COOLING: Final = r"""
return answer(math.max(0, tonumber(redis.call('ZSCORE', COOLING, ARGV[7]) or '0') - now))
"""

RESERVE: Final = Script(_IF_THERE_IS_ROOM + _FIRST + _RESERVE)
RENEW: Final = Script(_ANYHOW + _FIRST + _RENEW)
RELEASE: Final = Script(_ANYHOW + _FIRST + _RELEASE)
REVOKE: Final = Script(_ANYHOW + _FIRST + _REVOKE)
HELD: Final = Script(_ANYHOW + _FIRST + _HELD)
LIST: Final = Script(_ANYHOW + _FIRST + _LIST)
COUNT: Final = Script(_ANYHOW + _FIRST + _COUNT)
COOLING: Final = Script(_ANYHOW + _FIRST + _COOLING)
