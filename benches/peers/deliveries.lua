-- Sends each line of a file (path, signature, body) once, and prints what came of it.
local path, first, deliveries, at = nil, 0, {}, 0

function init(args)
  path, first = args[1], tonumber(args[2])
  local number = 0
  for line in io.lines(path) do
    number = number + 1
    if number > first and number <= first + tonumber(args[3]) then
      local target, signature, body = line:match("^(%S+)\t(%S+)\t(.+)$")
      deliveries[#deliveries + 1] = wrk.format("POST", target, {
        ["Host"] = "127.0.0.1",
        ["Content-Type"] = "application/x-www-form-urlencoded",
        ["X-Mailchimp-Signature"] = signature,
      }, body)
    end
  end
end

function request()
  at = at + 1
  if at >= #deliveries then wrk.thread:stop() end
  return deliveries[math.min(at, #deliveries)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("FIGURES %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
