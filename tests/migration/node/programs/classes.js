// Classes: private members, statics, accessors, inheritance also from built-in ones, species.
class Base {
  #secret = 1;
  static #count = 0;
  static made = [];
  open = 'yes';
  constructor(name) { this.name = name; Base.#count++; }
  #hidden() { return this.#secret * 2; }
  get secret() { return this.#secret; }
  set secret(value) { this.#secret = value; }
  twice() { return this.#hidden(); }
  static get count() { return Base.#count; }
  static { this.note = 'static block'; }
  has(other) { return #secret in other; }
  later() { return () => this.#secret++; }
  ['comp' + 'uted'](x) { return x + 1; }
}
class Derived extends Base {
  #own = { deep: [1, 2] };
  constructor(name) { super(name); this.extra = true; }
  twice() { return `${super.twice()}!`; }
  get own() { return this.#own; }
  arrow = () => this.name;
  static create(name) { return new this(name); }
}
class Stack extends Array { top() { return this[this.length - 1]; } }
class Registry extends Map { #hits = 0; get(key) { this.#hits++; return super.get(key); } get hits() { return this.#hits; } }
class Oops extends Error { constructor(m, code) { super(m); this.code = code; this.name = 'Oops'; } }
function Old(x) { this.x = x; }
Old.prototype.get = function() { return this.x; };
function Older(x) { Old.call(this, x); }
Older.prototype = Object.create(Old.prototype, { constructor: { value: Older } });
const d = Derived.create('d');
const base = new Base('b');
const bump = d.later();
const stack = Stack.from([1, 2, 3]);
const registry = new Registry([['k', 'v']]);
const oops = new Oops('bad', 7);
const older = new Older(9);
const { twice } = Base.prototype;
const Mixin = (Parent) => class extends Parent { mixed() { return 'mixed'; } };
const mixed = new (Mixin(Base))('m');
let turn = 0;
const timer = setInterval(() => {
  turn++;
  bump();
  d.secret += 10;
  stack.push(turn);
  console.log(d.twice(), d.secret, d.own.deep, d.arrow(), d.open, Base.count, Base.note, base.has(d),
    base.has({}), base.computed(turn), d instanceof Base, stack.top(), stack instanceof Stack,
    stack.map((x) => x).constructor.name, registry.get('k'), registry.hits, oops.message, oops.code,
    oops instanceof Oops, oops.stack.split('\n')[0], older.get(), older instanceof Old,
    older.constructor.name, twice.call(base), mixed.mixed(), mixed.twice(), Object.keys(d).join(),
    Derived.name, Object.getOwnPropertyNames(Base).join(), new Derived('n').secret, Base.made.length);
  if (turn === 10) clearInterval(timer);
}, 40);
