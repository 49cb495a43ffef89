-- Errors caught, coroutines, strings, a file, and the collector.
print(_VERSION, pcall(error, "boom"))
local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
print(fib(20))
print(select(2, pcall(function() local t = nil; return t.x end)))
local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1); error({ b }) end)
print(co(1), select(2, pcall(co, "two"))[1])
print(string.format("%5.2f|%q|%s", 3.14159, "a\nb", ("x"):rep(5)), ("key=value"):match("(%w+)=(%w+)"))
print(select("#", table.unpack({}, 1, 200)), #table.concat({ "a", "b", "c" }, ", "))
local function deep(n) return n == 0 and error("deep", 0) or 1 + deep(n - 1) end
print(pcall(deep, 150))
print(select(2, pcall(function() local function f() return f() + 1 end return f() end)):match("stack overflow"))
for line in io.lines("/hello.c") do print(line) break end
print(io.open("/missing"))
local count = 0
for i = 1, 2000 do setmetatable({}, { __gc = function() count = count + 1 end }) end
collectgarbage()
print(count)
print(os.time({ year = 2000, month = 1, day = 1, hour = 12 }), os.date("!%Y-%m-%d", 86400), math.maxinteger)
