// Packages by import: rxjs, acorn, dayjs, immer, uuid, yaml, marked.
import { interval, take, map } from 'rxjs';
import * as acorn from 'acorn';
import dayjs from 'dayjs';
import { produce } from 'immer';
import { v5 as uuid, NIL } from 'uuid';
import YAML, { stringify } from 'yaml';
import { marked } from 'marked';
export let state = { list: [] };
const words = ['a', 'b'];
interval(20).pipe(take(9), map((n) => n * 2)).subscribe({
  next: (n) => { state = produce(state, (draft) => { draft.list.push(n); }); console.log(n, state.list.join(), uuid(String(n), NIL), stringify({ n }).trim(), YAML.parse('[1, 2]').length, marked.parse(`*${n}*`).trim(), dayjs(n).valueOf(), acorn.parse('1+1', { ecmaVersion: 2020 }).body.length); },
  complete: () => console.log('complete', words.join()),
});
