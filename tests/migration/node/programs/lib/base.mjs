import { EventEmitter } from 'events';
const known = new Map();
let count = 0;
export default class extends EventEmitter { constructor(name) { super(); this.name = name; count++; } }
export const made = () => `${count} ${[...known.keys()].join()}`;
export function register(name, object) { known.set(name, object); }
