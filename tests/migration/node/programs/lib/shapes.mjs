export const kinds = new Set(['square']);
export function area(side) { kinds.add(side); return side * side; }
export default ['a', 'shape'].join(' ');
