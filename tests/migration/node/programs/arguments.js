'use strict';
// Arrow functions that use the `arguments` around them, in strict code and not.
function count() { return { size: () => arguments.length, at: (n) => arguments[n], put: (n, value) => { arguments[n] = value; }, all: () => arguments }; }
const loose = new Function('return (function () { return () => arguments[0] + arguments.length; })("loose", 2);')();
const first = count('a', { b: 1 }, [2]);
const second = count();
const held = first.all();
let turn = 0;
setTimeout(function next() {
  turn++;
  first.put(0, `turn ${turn}`);
  console.log(turn, first.size(), first.at(0), first.at(1).b++, first.at(2).length, second.size(), second.at(0), loose());
  console.log(first.all() === held, Object.prototype.toString.call(held), [...held].length, Array.isArray(held), second.all() === second.all());
  if (turn < 10) setTimeout(next, 15);
}, 15);
