// Mixins, species, private statics, accessors on both sides, hasInstance, classes made by functions.
const Named = (Base) => class extends Base { get label() { return `${this.name}/${super.label ?? 'none'}`; } set label(text) { this.name = text; } };
const Counted = (Base) => class extends Base { static #made = 0; static get made() { return Counted.last = this.#made; } constructor(...args) { super(...args); Type.bump(); } static bump() { this.#made++; } };
class Root { name = 'root'; get label() { return 'root'; } }
const Type = Counted(Root);
class Both extends Named(Type) { #own = [1]; push(n) { this.#own.push(n); return this.#own.length; } static is(object) { return #own in object; } }
class List extends Array { static get [Symbol.species]() { return Array; } sum() { return this.reduce((a, b) => a + b, 0); } }
class Even { static [Symbol.hasInstance](n) { return n % 2 === 0; } }
const made = new Both();
const list = List.from([1, 2, 3]);
const kinds = new Map([Root, Type, Both].map((one) => [one, one.name]));
let turn = 0;
setTimeout(function next() {
  turn++;
  made.label = `turn ${turn}`;
  console.log(turn, made.label, made.push(turn), Both.is(made), Both.is({}), Type.made, made instanceof Type, turn instanceof Even);
  list.push(turn);
  console.log(list.sum(), list.map((n) => n).constructor.name, list.constructor.name, kinds.get(made.constructor), Object.keys(made).join());
  if (turn < 9) setTimeout(next, 15);
}, 15);
