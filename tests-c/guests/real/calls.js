// Errors caught, recursion, JSON, regular expressions, dates.
try { null.x } catch (e) { print('caught', e.name); }
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
print(fib(18), JSON.stringify({ a: [1, 2, { b: 'é' }] }), 'x'.repeat(34).length);
print('2024-02-29'.replace(/(\d+)-(\d+)-(\d+)/, '$3.$2.$1'), [3, 1, 2].sort().join());
print(new Date(951782400000).toISOString());
function deep(n) { return n ? deep(n - 1) : (function () { throw new RangeError('deep'); })(); }
try { deep(100); } catch (e) { print(e.message); }
