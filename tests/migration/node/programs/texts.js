// Intl objects, URLs and their parameters, encoders and decoders.
const number = new Intl.NumberFormat('de', { style: 'currency', currency: 'EUR' });
const date = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeZone: 'UTC' });
const compare = new Intl.Collator('sv', { numeric: true }).compare;
const plural = new Intl.PluralRules('en', { type: 'ordinal' });
const list = new Intl.ListFormat('en');
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const segments = new Intl.Segmenter('en', { granularity: 'word' });
const names = new Intl.DisplayNames('en', { type: 'region' });
const locale = new Intl.Locale('en-Latn-US');
const { format } = number;
const url = new URL('https://user@example.org:8080/a/b?x=1&y=2#end');
const params = url.searchParams;
const alone = new URLSearchParams('a=1&a=2');
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const bytes = encoder.encode('\u20ac\u00e9\u{1f600}!');
let turn = 0;
setTimeout(function next() {
  turn++;
  params.set('turn', turn);
  alone.append('a', turn);
  console.log(turn, number.format(turn * 1234.5), format(turn), date.format(turn * 864e5), ['z10', 'z9', '\u00e5', 'a'].sort(compare).join(), plural.select(turn), list.format(['a', 'b', String(turn)]));
  console.log(relative.format(-1, 'day'), [...segments.segment(`word ${turn}`)].length, names.of('SE'), locale.maximize().toString(), url.href, alone.getAll('a').length, params === url.searchParams);
  console.log(JSON.stringify(decoder.decode(bytes.subarray(0, turn))), strict.decode(bytes), strict.fatal, strict.ignoreBOM, decoder.encoding);
  if (turn < 10) setTimeout(next, 15);
}, 15);
