// Closures that share scopes, in loops and factories; constants stay constants, dead zones dead.
function counter(step) {
  let n = 0;
  const limit = 100;
  return {
    inc: () => { n += step; return n; }, get: () => n,
    write: () => { try { limit = 1; } catch (error) { return error.constructor.name; } },
    read: () => limit,
  };
}
const a = counter(1);
const b = counter(10);
const makers = [];
for (let i = 0; i < 3; i++) makers.push({ up: () => ++i, at: () => i });
var early = () => { try { return late; } catch (error) { return error.name; } };
const dead = [];
function zone() {
  dead.push(() => { try { return hidden; } catch (error) { return error.message; } });
  if (dead.length) return;
  let hidden = 1;
}
zone();
function outer(x) {
  function inner(y) { return y <= 0 ? x : inner(y - 1) + x; }
  return inner;
}
const sum = outer(3);
const named = function fact(n) { return n < 2 ? 1 : n * fact(n - 1); };
(function sloppy() { this.made = this === globalThis; }());
const self = (function() { return { who: () => this.name }; }).call({ name: 'arrow this' });
const args = (function() { return () => Array.from(arguments).join('-'); })(1, 2, 3);
let turn = 0;
const timer = setInterval(() => {
  turn++;
  a.inc(); b.inc();
  console.log(turn, a.get(), b.get(), a.write(), a.read(), makers.map((m) => m.up()).join(),
    makers.map((m) => m.at()).join(), early(), dead[0](), sum(turn), named(5), self.who(), args(),
    sum.name, named.name, counter.length, String(a.get), String(counter).length);
  if (turn === 12) { clearInterval(timer); }
}, 40);
let late = 'reached';
