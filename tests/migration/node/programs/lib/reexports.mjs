export * from './shapes.mjs';
export { default } from './shapes.mjs';
export { area as surface } from './shapes.mjs';
