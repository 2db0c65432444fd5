// rxjs: subjects, shared intervals, buffers, switching.
const { BehaviorSubject, Subject, combineLatest, concat, from, interval, merge, of, timer } = require('rxjs');
const { bufferCount, concatMap, debounceTime, delay, filter, map, mergeMap, scan, share, switchMap, take, takeUntil, tap } = require('rxjs/operators');
const stop = new Subject();
const state = new BehaviorSubject(0);
const ticks = interval(20).pipe(share());
ticks.pipe(takeUntil(stop), scan((sum, n) => sum + n, 0), filter((n) => n % 2 === 0)).subscribe({ next: (n) => console.log('even', n), complete: () => console.log('complete') });
ticks.pipe(take(12), bufferCount(3)).subscribe((list) => { console.log('buffer', list.join()); state.next(list.at(-1)); });
state.pipe(switchMap((n) => of(n, n + 1))).subscribe((n) => console.log('state', n));
ticks.pipe(take(9), map((n) => n * 10)).subscribe({ next: (n) => console.log('ten', n), complete: () => stop.next() });
concat(of('a', 'b'), from(['c'])).pipe(concatMap((x) => of(x + x))).subscribe((x) => console.log(x));
