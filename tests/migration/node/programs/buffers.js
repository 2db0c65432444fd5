// Views that share buffers, resizable buffers, big ones, and endianness.
const ab = new ArrayBuffer(32); const u8 = new Uint8Array(ab, 8, 8); const u32 = new Uint32Array(ab); const dv = new DataView(ab, 4); const f = new Float32Array(ab, 16, 2); const big = new BigUint64Array(ab, 24, 1); const clamped = new Uint8ClampedArray([300, -5, 127]);
const resizable = new ArrayBuffer(8, { maxByteLength: 64 }); 
const pooled = ['a', 'bb', 'ccc'].map((s) => Buffer.from(s)); const large = Buffer.alloc(70000, 'xyz'); const part = large.subarray(10, 20); part.note = 'own property';
class Bytes extends Uint8Array { sum() { return this.reduce((a, b) => a + b, 0); } } const bytes = Bytes.from([1, 2, 3]);
function step(n) { u8[0] = n; dv.setInt16(6, n * 300, true); f[0] += 0.5; big[0] += 2n ** 40n; resizable.resize(8 + n); part[0] = 48 + n; bytes[0]++; console.log(u32.join(), big[0], f.join(), clamped.join(), resizable.byteLength, resizable.maxByteLength, pooled.map(String).join(), large.toString('latin1', 8, 22), part.note, bytes.sum(), bytes instanceof Bytes, dv.getInt16(6, true), u8.buffer === ab, part.buffer === large.buffer); }
let turn = 0;
const timer = setInterval(() => { turn++; step(turn); if (turn === 8) clearInterval(timer); }, 25);
