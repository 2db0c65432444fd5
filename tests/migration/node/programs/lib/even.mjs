import { isOdd } from './odd.mjs';
export const isEven = (n) => (n === 0 ? true : isOdd(n - 1));
