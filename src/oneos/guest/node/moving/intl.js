'use strict';
// Objects of Intl: each is made again from the locale and the options that it says it has resolved.

const { stepOf, writeProperties, writePrototype } = require('./moving/properties');

const NAMES = ['Collator', 'DateTimeFormat', 'DisplayNames', 'ListFormat', 'NumberFormat',
               'PluralRules', 'RelativeTimeFormat', 'Segmenter'];
const BOUND = { Collator: 'compare', DateTimeFormat: 'format', NumberFormat: 'format' };

const optionsOf = (name, object) => Intl[name].prototype.resolvedOptions.call(object);

// What `new Intl[name]` takes to make one with these options. Those of a date's parts may not stand
// beside a style.
function argumentsFor(options) {
  const { locale, ...rest } = options;
  for (const key of Object.keys(rest)) if (rest[key] === undefined) delete rest[key];
  return [locale, rest];
}

const intlTypes = () => [...NAMES.map((name) => Intl[name]), Intl.Locale];

function nameOf(object) {
  if (Object.prototype.toString.call(object).slice(0, 13) !== '[object Intl.') return undefined;
  return NAMES.find((name) => {
    try { return Boolean(optionsOf(name, object)); } catch { return false; }
  });
}

function recordIntl(capture, object, id) {
  const { graph } = capture;
  if (isLocale(object)) {
    const record = { k: 'locale', text: String(object) };
    return writePrototype(graph, object, id, record, Intl.Locale.prototype);
  }
  const name = nameOf(object);
  if (name === undefined) return undefined;
  const options = optionsOf(name, object);
  const args = argumentsFor(options);
  let again;
  try { again = optionsOf(name, new Intl[name](...args)); } catch { again = undefined; }
  if (JSON.stringify(again) !== JSON.stringify(options)) {
    graph.refuse(`an Intl.${name} that cannot be made again`, id);
  }
  const record = { k: 'intl', name, args };
  writePrototype(graph, object, id, record, Intl[name].prototype);
  return writeProperties(graph, object, id, record);
}

function isLocale(object) {
  try { return Intl.Locale.prototype.toString.call(object) !== undefined; } catch { return false; }
}

// The function that `format` or `compare` of such an object gives; undefined for another function.
function recordFormat(capture, fn, id) {
  if (fn.name !== '' || Object.hasOwn(fn, 'prototype')) return undefined;
  const heap = capture.snapshot();
  const context = heap.edge(heap.nodeOf(fn), 'context');
  for (const { to } of heap.edges(context)) {
    if (!heap.isObject(to) || !(heap.nameOf(to) in BOUND || heap.nameOf(to) === 'Object')) continue;
    const object = heap.live(to);
    const name = nameOf(object);
    const key = BOUND[name];
    if (!key || Reflect.get(Intl[name].prototype, key, object) !== fn) continue;
    return { k: 'format', of: capture.graph.value(object, id, stepOf(key)), name, key };
  }
  return undefined;
}

module.exports = { intlTypes, recordFormat, recordIntl };
