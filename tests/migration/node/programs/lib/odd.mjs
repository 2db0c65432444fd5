import { isEven } from './even.mjs';
export var calls = 0;
export function isOdd(n) { calls++; return n === 0 ? false : isEven(n - 1); }
