import { turns } from '../imports.mjs';
export let name = 'late';
export default function () { return `${name} ${turns}`; }
export function bump() { name += '!'; return turns; }
export const main = async () => (await import('../imports.mjs')).limit;
